/** What is at a path, asked once; never polled, since reading it may be an entry of the journal. */

import { useCallback, useEffect, useState, type ReactNode } from "react";
import type { Answer } from "../api/client";
import { useDesk } from "../shell/context";
import { Loaded } from "../shell/parts";
import type { Decoder } from "./decode";

/** Asked again on `retry`; null while the answer is under way. */
export function useAsked<T>(path: string, decoder: Decoder<T>): { answer: Answer<T> | null; retry: () => void } {
  const { api } = useDesk();
  const [answer, setAnswer] = useState<Answer<T> | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    let wanted = true;
    setAnswer(null);
    void api.get(path, decoder).then((given) => wanted && setAnswer(given));
    return () => void (wanted = false);
  }, [api, path, decoder, round]);
  return { answer, retry: useCallback(() => setRound((n) => n + 1), []) };
}

const RETRY_MS = 3_000;

/** What a form has to choose from; asked again until the centre has told it, null before. */
export function useOffered<T>(path: string, decoder: Decoder<T>): T | null {
  const { answer, retry } = useAsked(path, decoder);
  const isAway = answer?.kind === "failed";
  useEffect(() => {
    if (!isAway) return;
    const timer = window.setTimeout(retry, RETRY_MS);
    return () => window.clearTimeout(timer);
  }, [isAway, retry]);
  return answer?.kind === "ok" ? answer.value : null;
}

export function Asked<T>(props: { path: string; decoder: Decoder<T>; children: (value: T) => ReactNode }): ReactNode {
  const { answer, retry } = useAsked(props.path, props.decoder);
  const problem = answer === null || answer.kind === "ok" ? null : answer;
  return <Loaded value={answer?.kind === "ok" ? answer.value : null} problem={problem} onRetry={retry}>{props.children}</Loaded>;
}
