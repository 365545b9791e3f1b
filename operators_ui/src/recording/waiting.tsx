/** All that waits for a second person. What has a page of its own is confirmed there, with what must be known for it; all of
 * it is refused here by another person, and taken back by who proposed it. */

import { useCallback, useEffect, type ReactNode } from "react";
import { proposals as proposalsBody, type WaitingProposal } from "../api/types";
import { usePolled } from "../lib/poll";
import { clock, day, dayAndClock, lastDay } from "../lib/time";
import { useDesk } from "../shell/context";
import { Loaded, ReasonButton } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import type { Section } from "./sections";
import { Step } from "./step";

const PERIOD_MS = 5_000;
const { waiting } = fr.recording;

/** The page on which a decision is confirmed. */
const PAGES: Readonly<Record<string, Section>> = {
  hold_release: "holds", mask: "interruptions", unmask: "interruptions", clock_release: "storage", breaker_release: "storage",
};
/** Where one without a page is confirmed at once. */
const PATHS: Readonly<Record<string, string>> = { retention: "/api/retentions", legal_basis: "/api/legal-bases" };

export function Waiting(props: { onSection: (section: Section) => void }): ReactNode {
  const { api, hints } = useDesk();
  const { value, problem, poke } = usePolled(useCallback(() => api.get("/api/proposals", proposalsBody), [api]), PERIOD_MS);
  useEffect(() => hints.on("proposals", poke), [hints, poke]);
  return (
    <>
      <header><h1>{waiting.title}</h1></header>
      <p className="quiet">{waiting.help}</p>
      <Loaded value={value} problem={problem} onRetry={poke}>
        {(list) => list.length === 0 ? <p className="quiet" role="status" data-testid="waiting-none">{waiting.none}</p> : (
          <Table label={waiting.title} caption={waiting.caption} heads={[waiting.what, fr.recording.camera, waiting.reason, waiting.by, waiting.at, waiting.until, waiting.decision]} empty={false} testid="waiting-table">
            {list.map((one) => <Row key={one.id} one={one} onDone={poke} {...props} />)}
          </Table>
        )}
      </Loaded>
    </>
  );
}

function Row({ one, onDone, onSection }: { one: WaitingProposal; onDone: () => void; onSection: (section: Section) => void }): ReactNode {
  const page = PAGES[one.decision];
  const path = PATHS[one.decision];
  const what = waiting.decisions(one.decision);
  return (
    <tr data-decision={one.decision} data-mine={one.mine}>
      <th scope="row">{what}<About one={one} /></th>
      <td>{one.camera === null ? waiting.centre : <><span className="number">{one.camera.number}</span> {one.camera.name}<small>{one.camera.commune.name}</small></>}</td>
      <td>{one.reason || "—"}</td>
      <td>{one.proposed_by}</td>
      <td className="line">{dayAndClock(one.proposed_at)}</td>
      <td className="line">{clock(one.expires_at)}</td>
      <td>
        {one.mine && <span className="quiet">{waiting.mine}</span>}
        {!one.mine && !one.may_decide && <span className="quiet">{waiting.supervisor}</span>}
        {!one.mine && one.may_decide && (
          <>
            {page && <button type="button" onClick={() => onSection(page)} data-testid="waiting-open">{waiting.open}<span className="visually-hidden"> {what}</span></button>}
            {path && (
              <Step label={waiting.confirm} title={`${waiting.confirm} : ${what}`} path={`${path}/${one.id}/confirm`} testid="waiting-confirm" onDone={onDone} body={() => ({})}>
                <p><strong>{what}</strong>{one.camera !== null && ` : ${one.camera.number} ${one.camera.name}, ${one.camera.commune.name}`}<About one={one} /></p>
                <p className="notice notice-warning">{waiting.confirmHelp(one.proposed_by)} {one.decision === "retention" && waiting.retentionHelp}</p>
              </Step>
            )}
          </>
        )}{" "}
        {one.may_decide && (
          <ReasonButton
            label={one.mine ? waiting.takeBack : waiting.refuse} title={`${one.mine ? waiting.takeBack : waiting.refuse} : ${what}`} warning={waiting.closeHelp}
            path={`/api/proposals/${one.id}/close`} testid="waiting-close" id={one.id} onDone={onDone}
          />
        )}
      </td>
    </tr>
  );
}

/** What would be, where the decision's name does not say it. */
function About({ one }: { one: WaitingProposal }): ReactNode {
  if (one.days !== null) return <small>{fr.tables.days(one.days)}</small>;
  if (one.basis === null) return null;
  return <small>{one.basis.label}, {one.basis.reference}, {day(one.basis.from)} – {fr.tables.until(lastDay(one.basis.to))}</small>;
}
