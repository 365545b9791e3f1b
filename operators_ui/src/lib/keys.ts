/** One keyboard for the whole console. */

import { useEffect, useRef } from "react";

/** Handlers answer true when the key was theirs. */
export type KeyHandler = (event: KeyboardEvent) => boolean;

const WRITES = new Set(["INPUT", "TEXTAREA", "SELECT"]);

/** Shortcuts stand back while a person writes, while a dialog is open, and for the browser's own combinations. */
export function isShortcut(event: Pick<KeyboardEvent, "ctrlKey" | "metaKey" | "altKey" | "target">): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.target instanceof HTMLElement && WRITES.has(event.target.tagName)) return false;
  return document.querySelector("dialog[open]") === null;
}

/** The layout asked for by a digit. By position, so that the unshifted top row of an AZERTY keyboard works too. */
export function digitOf(code: string): number | null {
  const match = /^(?:Digit|Numpad)(\d)$/.exec(code);
  return match?.[1] === undefined ? null : Number(match[1]);
}

export function useKeys(handler: KeyHandler): void {
  const newest = useRef(handler);
  newest.current = handler;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (!event.defaultPrevented && isShortcut(event) && newest.current(event)) event.preventDefault();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}
