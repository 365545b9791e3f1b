import { useState, type ReactNode } from "react";

/** Degrees, with a point or the comma of French keyboards. */
export const DEGREES = "-?[0-9]{1,3}([.,][0-9]+)?";

interface Half {
  readonly label: string;
  readonly name: string;
  readonly value?: string | null | undefined;
  readonly type?: string;
  readonly pattern?: string;
  readonly autoComplete?: string;
}

/** Two fields of which neither is told without the other. */
export function Together({ first, second }: { first: Half; second: Half }): ReactNode {
  const [values, setValues] = useState([first.value ?? "", second.value ?? ""]);
  const [a = "", b = ""] = values;
  const required = a !== "" || b !== "";
  return (
    <div className="pair">
      {[first, second].map((half, at) => (
        <label key={half.name}>
          {half.label}
          <input
            name={half.name} type={half.type ?? "text"} pattern={half.pattern} maxLength={200} autoComplete={half.autoComplete ?? "off"} required={required} value={at === 0 ? a : b}
            onChange={(event) => setValues(at === 0 ? [event.target.value, b] : [a, event.target.value])}
          />
        </label>
      ))}
    </div>
  );
}
