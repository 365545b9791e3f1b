import type { ReactNode } from "react";
import type { View } from "../shell/views";
export function TableView(props: { view: View }): ReactNode {
  return <p>{props.view}</p>;
}
