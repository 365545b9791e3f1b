/** Heads to keep, and that the journal goes on from one that was kept (RFC 9162). */

import { useState, type ReactNode } from "react";
import type { Failed, Refused } from "../api/client";
import { checkpoint as checkpointBody, consistency, type Consistency, type SignedHead } from "../api/types";
import { Asked } from "../lib/asked";
import { saveJson } from "../lib/save";
import { dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { Problem } from "../shell/parts";
import { fr } from "../strings";
import { headIn, isTheSame } from "./kept-head";

const { journal } = fr;

type Outcome =
  | { readonly kind: "unreadable" }
  | { readonly kind: "problem"; readonly problem: Refused | Failed }
  | { readonly kind: "told"; readonly kept: SignedHead; readonly told: Consistency };

export function Proofs(): ReactNode {
  return (
    <>
      <section className="commune">
        <h2>{journal.keepTitle}</h2>
        <p className="quiet">{journal.keepHelp}</p>
        <Asked path="/api/journal/checkpoint" decoder={checkpointBody}>
          {(seal) => (
            <div className="seal" data-testid="checkpoint" data-size={seal.tree_size}>
              {journal.checkpoint(seal.tree_size, seal.signed_at === null ? "—" : dayAndClock(seal.signed_at))}
              <code>{journal.checkpointKey(seal.root, seal.key ?? "—")}</code>
              <Keep size={seal.tree_size} />
            </div>
          )}
        </Asked>
      </section>
      <Compare />
      <section className="commune">
        <h2>{journal.entryProofTitle}</h2>
        <p className="quiet">{journal.entryProofHelp}</p>
        <p className="quiet">{journal.checkHelp} <code>csu journal check {journal.file} --key heads.pem</code></p>
        <p className="quiet">{journal.keyHelp}</p>
      </section>
    </>
  );
}

function Keep({ size }: { size: number }): ReactNode {
  const { api } = useDesk();
  const [problem, setProblem] = useState<Refused | Failed | null>(null);
  const keep = async (): Promise<void> => {
    const answer = await api.get(`/api/journal/consistency?old=${size}`, consistency);
    setProblem(answer.kind === "ok" ? null : answer);
    if (answer.kind === "ok") saveJson(`tete-journal-${size}.json`, answer.value);
  };
  return (
    <>
      <button type="button" onClick={() => void keep()} data-testid="keep-head">{journal.keep}</button>
      {problem && <Problem problem={problem} />}
    </>
  );
}

function Compare(): ReactNode {
  const { api } = useDesk();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const read = async (input: HTMLInputElement): Promise<void> => {
    const file = input.files?.[0];
    setOutcome(null);
    if (file === undefined) return;
    const kept = headIn(await file.text());
    input.value = ""; // so that the same file can be chosen again
    if (kept === null) return setOutcome({ kind: "unreadable" });
    const answer = await api.get(`/api/journal/consistency?old=${kept.tree_size}`, consistency);
    setOutcome(answer.kind === "ok" ? { kind: "told", kept, told: answer.value } : { kind: "problem", problem: answer });
  };
  return (
    <section className="commune">
      <h2>{journal.compareTitle}</h2>
      <p className="quiet">{journal.compareHelp}</p>
      <div className="filters">
        <label className="file">{journal.keptFile}<span className="button">{journal.chooseFile}</span><input type="file" className="visually-hidden" accept="application/json,.json" onChange={(event) => void read(event.target)} data-testid="kept-head" /></label>
      </div>
      <div role="status" data-testid="compared">
        {outcome?.kind === "unreadable" && <p className="notice notice-error">{journal.unreadable}</p>}
        {outcome?.kind === "problem" && <Problem problem={outcome.problem} />}
        {outcome?.kind === "told" && <Compared {...outcome} />}
      </div>
    </section>
  );
}

function Compared({ kept, told }: { kept: SignedHead; told: Consistency }): ReactNode {
  if (!isTheSame(kept, told)) return <p className="notice notice-error" data-testid="differs">{journal.differs(kept.tree_size)}</p>;
  return (
    <p className="notice" data-testid="goes-on">
      {journal.goesOn(kept.tree_size, dayAndClock(Date.parse(kept.signed_at)), told.head.tree_size)}{" "}
      <button type="button" onClick={() => saveJson(`coherence-${kept.tree_size}-${told.head.tree_size}.json`, told)} data-testid="consistency-file">{journal.consistencyFile}</button>
    </p>
  );
}
