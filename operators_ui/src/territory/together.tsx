import { useState, type ReactNode } from "react";
import { DateField } from "../shell/date-field";

/** Degrees, with a point or the comma of French keyboards. */
export const DEGREES = "-?[0-9]{1,3}([.,][0-9]+)?";
export const DECIMAL = "[0-9]{1,4}([.,][0-9]+)?";
export const DEGREES_HINT = "Des degrés décimaux sont attendus, par exemple 49,0241.";

/** As French keyboards write it; a number field would want what the browser's own language does. */
export const written = (value: number | null | undefined): string => value?.toString().replace(".", ",") ?? "";

interface Half {
  readonly label: string;
  readonly name: string;
  readonly value?: string | null | undefined;
  readonly type?: string;
  readonly isDay?: boolean;
  readonly pattern?: string;
  /** The sentence that says which form the pattern wants. */
  readonly hint?: string;
  readonly autoComplete?: string;
}

/** Two fields of which neither is told without the other. */
export function Together({ first, second }: { first: Half; second: Half }): ReactNode {
  const [values, setValues] = useState([first.value ?? "", second.value ?? ""]);
  const [a = "", b = ""] = values;
  const set = (at: number) => (text: string): void => setValues(at === 0 ? [text, b] : [a, text]);
  const required = a !== "" || b !== "";
  return (
    <div className="pair">
      {[first, second].map((half, at) => (
        <label key={half.name}>
          {half.label}
          {half.isDay
            ? <DateField kind="day" name={half.name} required={required} defaultValue={half.value ?? ""} onText={set(at)} />
            : <input name={half.name} type={half.type ?? "text"} pattern={half.pattern} title={half.hint} maxLength={200} autoComplete={half.autoComplete ?? "off"} required={required} value={at === 0 ? a : b} onChange={(event) => set(at)(event.target.value)} />}
        </label>
      ))}
    </div>
  );
}
