/** A day or an instant, written day first whatever language the browser speaks. The form carries it as ISO 8601. */

import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { readTyped, showTyped, type DateKind } from "../lib/typed-dates";
import { fr } from "../strings";

export interface DateFieldProps {
  readonly kind: DateKind;
  readonly name: string;
  readonly required?: boolean;
  /** ISO 8601, local time of the centre. */
  readonly defaultValue?: string;
  readonly testid?: string;
  readonly isWrong?: boolean;
  readonly onText?: (text: string) => void;
  readonly field?: { current: HTMLInputElement | null };
}

export function DateField(props: DateFieldProps): ReactNode {
  const { kind, name } = props;
  const own = useRef<HTMLInputElement>(null);
  const field = props.field ?? own;
  const told = useId();
  const [isUnread, setUnread] = useState(false);
  const flaw = fr.dates[kind];
  const check = (): boolean => {
    const input = field.current;
    const isRead = input === null || input.value.trim() === "" || readTyped(kind, input.value) !== null;
    input?.setCustomValidity(isRead ? "" : flaw);
    return isRead;
  };
  const judge = useRef(check);
  judge.current = check;
  useEffect(() => {
    const { form } = field.current ?? {};
    const carry = ({ formData }: FormDataEvent): void => formData.set(name, readTyped(kind, field.current?.value ?? "") ?? "");
    // The fields have their first values again only after the event.
    const reset = (): void => void window.setTimeout(() => setUnread(!judge.current()));
    form?.addEventListener("formdata", carry);
    form?.addEventListener("reset", reset);
    return () => {
      form?.removeEventListener("formdata", carry);
      form?.removeEventListener("reset", reset);
    };
  }, [field, kind, name]);
  const settle = (): void => {
    const isRead = check();
    setUnread(!isRead);
    if (isRead && field.current !== null) field.current.value = showTyped(kind, field.current.value);
  };
  return (
    <span className="date-field">
      <input
        ref={field} name={name} type="text" autoComplete="off" spellCheck={false} maxLength={30} size={kind === "day" ? 11 : 18} placeholder={fr.dates.shape[kind]}
        required={props.required} defaultValue={showTyped(kind, props.defaultValue ?? "")} data-testid={props.testid}
        aria-invalid={isUnread || props.isWrong === true} aria-describedby={isUnread ? told : undefined} onBlur={settle}
        onInput={(event) => {
          setUnread(false);
          check();
          props.onText?.(event.currentTarget.value);
        }}
      />
      {isUnread && <small className="wrong" id={told} role="alert">{flaw}</small>}
    </span>
  );
}
