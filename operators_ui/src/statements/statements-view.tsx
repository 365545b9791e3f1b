/** A commune's daily signed statements and the month of its cameras. Never polled: reading a statement is an entry. */

import { useEffect, useRef, useState, type ReactNode } from "react";
import {
  coverageMonth, signedStatement, statementCommunes, statementLines, type CoverageLine, type CoverageMonth, type SignedStatement,
  type StatementCommune, type StatementLine,
} from "../api/types";
import { Asked } from "../lib/asked";
import { byName } from "../lib/names";
import { dayAndClock } from "../lib/time";
import { size } from "../recording/arithmetic";
import { useDesk } from "../shell/context";
import { Badge } from "../shell/parts";
import { fr } from "../strings";
import { Table } from "../tables/parts";
import { hours, percent, recordedShare } from "./figures";
import { dayName, dayNumber, monthName, monthOf, monthsFrom } from "./months";

const { statements } = fr;

export function Statements(): ReactNode {
  return (
    <div className="table-page" data-testid="statements">
      <header><h1>{statements.title}</h1></header>
      <Asked path="/api/statements" decoder={statementCommunes}>
        {(communes) => (communes.length === 0 ? <p className="quiet">{fr.tables.empty}</p> : <Communes communes={byName(communes)} />)}
      </Asked>
    </div>
  );
}

function Communes({ communes }: { communes: readonly StatementCommune[] }): ReactNode {
  const { now } = useDesk();
  const [insee, setInsee] = useState(communes[0]?.insee ?? "");
  const [month, setMonth] = useState(() => monthOf(now()));
  const latest = monthOf(now());
  const shown = communes.find((one) => one.insee === insee);
  return (
    <>
      <div className="filters" role="group" aria-label={statements.choice}>
        <label>
          {fr.tables.commune}
          <select value={insee} onChange={(event) => setInsee(event.target.value)} data-testid="statements-commune">
            {communes.map((one) => <option key={one.insee} value={one.insee}>{one.name} ({one.insee})</option>)}
          </select>
        </label>
        <button type="button" onClick={() => setMonth(monthsFrom(month, -1))} data-testid="month-before">{statements.monthBefore}</button>
        <strong className="month" aria-live="polite" data-testid="month" data-month={month}>{monthName(month)}</strong>
        <button type="button" disabled={month >= latest} onClick={() => setMonth(monthsFrom(month, 1))} data-testid="month-after">{statements.monthAfter}</button>
      </div>
      {shown && <Commune key={`${insee} ${month}`} commune={shown} month={month} />}
    </>
  );
}

function Commune(props: { commune: StatementCommune; month: string }): ReactNode {
  const { commune, month } = props;
  const path = `/api/communes/${commune.insee}`;
  const [chosen, setChosen] = useState<StatementLine | null>(null);
  return (
    <>
      <section className="commune">
        <h2>{statements.daysTitle}</h2>
        <Asked path={`${path}/statements?month=${month}`} decoder={statementLines}>
          {(lines) =>
            lines.length === 0
              ? <p className="quiet" data-testid="statements-none">{commune.last_day === null ? statements.noneYet : statements.noneInMonth(dayNumber(commune.last_day))}</p>
              : <Days commune={commune} lines={lines} chosen={chosen} onChoose={setChosen} />
          }
        </Asked>
      </section>
      {chosen !== null && <Day key={chosen.number} path={`${path}/statements/${chosen.number}`} />}
      <section className="commune">
        <h2>{statements.monthTitle}</h2>
        <Asked path={`${path}/coverage?month=${month}`} decoder={coverageMonth}>
          {(figures) => <Month figures={figures} href={`${path}/coverage.csv?month=${month}`} />}
        </Asked>
      </section>
    </>
  );
}

function Days(props: {
  commune: StatementCommune; lines: readonly StatementLine[]; chosen: StatementLine | null; onChoose: (line: StatementLine) => void;
}): ReactNode {
  const { heads } = statements;
  const corrected = new Set(props.lines.map((line) => line.corrects));
  const knowsHolds = props.lines.some((line) => line.held !== null);
  return (
    <Table
      label={statements.daysCaption(props.commune.name)} caption={statements.daysCaption(props.commune.name)}
      heads={[heads.day, heads.number, heads.state, heads.destroyed, heads.left, heads.oldest, heads.overdue, ...(knowsHolds ? [heads.held] : []), heads.recorded, heads.file]}
      empty={false} testid="statements-table"
    >
      {props.lines.map((line) => {
        const { totals } = line;
        const path = `/api/communes/${props.commune.insee}/statements/${line.number}`;
        const isUnknown = line.missing > 0 && totals.oldest === null; // no inventory, rather than nothing left
        return (
          <tr key={line.number} data-number={line.number} data-day={line.day} aria-current={line === props.chosen ? "true" : undefined}>
            <th scope="row">
              <button type="button" onClick={() => props.onChoose(line)} data-testid="statement-open">{dayNumber(line.day)}</button>
            </th>
            <td>{line.number}</td>
            <td><State line={line} superseded={corrected.has(line.number)} /></td>
            <td>{isUnknown && totals.destroyed.count === 0 ? "—" : <>{statements.files(totals.destroyed.count)}<small>{size(totals.destroyed.bytes)}</small></>}</td>
            <td>{isUnknown ? "—" : <>{statements.files(totals.files)}<small>{size(totals.bytes)}</small></>}</td>
            <td className="line">{totals.oldest === null ? "—" : dayAndClock(totals.oldest)}</td>
            <td>{totals.overdue > 0 ? <Badge tone="bad">{totals.overdue}</Badge> : isUnknown ? "—" : 0}</td>
            {knowsHolds && <td>{isUnknown ? "—" : line.held}</td>}
            <td>{recordedShare(totals.recorded_us, totals.expected_us) ?? "—"}</td>
            <td className="line">
              <a href={path} download={`releve-${props.commune.insee}-${line.day}-${line.number}.json`} data-testid="statement-file">
                {statements.download}<span className="visually-hidden"> {statements.of(line.number)}</span>
              </a>
              {" · "}
              <a href={`${path}/text`} target="_blank" rel="noreferrer">
                {statements.text}<span className="visually-hidden"> {statements.of(line.number)} {statements.newTab}</span>
              </a>
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

function State({ line, superseded }: { line: StatementLine; superseded: boolean }): ReactNode {
  return (
    <>
      {line.missing > 0
        ? <Badge tone="warning">{statements.missing(line.missing)}</Badge>
        : <Badge tone="good">{statements.complete}</Badge>}
      {line.corrects !== null && <small>{statements.corrects(line.corrects)}</small>}
      {superseded && <small>{statements.superseded}</small>}
    </>
  );
}

/** One statement, camera by camera; the heading takes the focus, so that the keyboard and a screen reader follow. */
function Day({ path }: { path: string }): ReactNode {
  return (
    <section className="commune" data-testid="statement">
      <Asked path={path} decoder={signedStatement}>{(file) => <Signed file={file} />}</Asked>
    </section>
  );
}

function Signed({ file }: { file: SignedStatement }): ReactNode {
  const { statement, withheld } = file;
  const ofHolds = new Map(withheld?.cameras.map((one) => [one.camera, one]));
  const { heads } = statements;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const missing = new Set(statement.missing.map((one) => `${one.camera} ${one.what}`));
  const unknown = <Badge tone="warning">{statements.notTold}</Badge>;
  return (
    <>
      <h2 ref={heading} tabIndex={-1}>
        {statements.dayTitle(dayName(statement.day), statement.number)}{" "}
        <span className="quiet">{statements.signedAt(dayAndClock(statement.signed_at), file.kid)}</span>
      </h2>
      <Table
        label={statements.dayCaption} caption={statements.dayCaption}
        heads={[heads.camera, heads.destroyed, heads.left, heads.oldest, heads.overdue, ...(withheld === null ? [] : [heads.held]), heads.recorded, heads.gaps]}
        empty={statement.cameras.length === 0} testid="statement-table"
      >
        {statement.cameras.map(({ camera, number, name, destroyed, inventory, coverage }) => (
          <tr key={camera} data-camera={camera}>
            <th scope="row"><span className="number">{number}</span> {name}</th>
            <td>
              {destroyed.length === 0 && statements.nothing}
              {[...destroyed, ...(ofHolds.get(camera)?.destroyed ?? [])].map((one) => (
                <div key={one.cause}>
                  {statements.destroyed(one.cause, one.count)}, {size(one.bytes)}
                  <small>{statements.between(dayAndClock(one.first), dayAndClock(one.last))}</small>
                </div>
              ))}
            </td>
            {inventory === null
              ? <td colSpan={withheld === null ? 3 : 4}>{missing.has(`${camera} inventory`) ? unknown : "—"}</td>
              : (
                <>
                  <td>
                    {statements.files(inventory.files)}<small>{size(inventory.bytes)}</small>
                    {missing.has(`${camera} storage`) && <Badge tone="warning">{statements.away}</Badge>}
                  </td>
                  <td className="line">{inventory.oldest === null ? "—" : dayAndClock(inventory.oldest)}</td>
                  <td>{inventory.overdue > 0 ? <Badge tone="bad">{inventory.overdue}</Badge> : inventory.overdue}</td>
                  {withheld !== null && <td>{ofHolds.get(camera)?.held ?? 0}</td>}
                </>
              )}
            {coverage === null
              ? <td colSpan={2}>{missing.has(`${camera} coverage`) ? unknown : "—"}</td>
              : (
                <>
                  <td>{recordedShare(coverage.sums_us["recorded"] ?? 0, coverage.expected_us) ?? "—"}<small>{statements.outOf(hours(coverage.expected_us))}</small></td>
                  <td>{gaps(coverage.sums_us)}</td>
                </>
              )}
          </tr>
        ))}
      </Table>
    </>
  );
}

function gaps(sums_us: Readonly<Record<string, number>>): string {
  const missing = Object.entries(sums_us).filter(([cause, us]) => cause !== "recorded" && us > 0);
  return missing.length === 0 ? statements.noGap : missing.map(([cause, us]) => `${statements.absence(cause)} ${hours(us)}`).join(" · ");
}

function Month({ figures, href }: { figures: CoverageMonth; href: string }): ReactNode {
  const causes = Object.keys(figures.total.percent).filter((cause) => cause !== "recorded");
  const { heads } = statements;
  return (
    <>
      <p data-testid="month-state" data-in-progress={figures.in_progress}>
        {figures.in_progress
          ? <Badge tone="warning">{statements.inProgress(figures.days, figures.days_of_month)}</Badge>
          : <Badge tone="good">{statements.monthOver}</Badge>}
        {" "}<span className="quiet">{statements.monthHelp}</span>
      </p>
      {figures.cameras.length === 0 ? <p className="quiet" role="status">{statements.noDay}</p> : <Table
        label={statements.monthCaption} caption={statements.monthCaption}
        heads={[heads.camera, heads.days, heads.expected, heads.recorded, ...causes.map(statements.absence)]}
        empty={false} testid="month-table"
      >
        {figures.cameras.map((line) => (
          <MonthRow key={line.camera} line={line} causes={causes}><span className="number">{line.number}</span> {line.name}</MonthRow>
        ))}
        <MonthRow line={figures.total} causes={causes}>{statements.total}</MonthRow>
      </Table>}
      {figures.cameras.length > 0 && <p><a href={href} download data-testid="month-csv">{statements.csv}</a></p>}
    </>
  );
}

function MonthRow(props: { line: CoverageLine; causes: readonly string[]; children: ReactNode }): ReactNode {
  const { line, causes } = props;
  return (
    <tr>
      <th scope="row">{props.children}</th>
      <td>{line.days}</td>
      <td>{hours(line.expected_us)}</td>
      <td><strong>{percent(line.percent["recorded"] ?? 0)}</strong></td>
      {causes.map((cause) => <td key={cause} className={line.percent[cause] ? "" : "quiet"}>{percent(line.percent[cause] ?? 0)}</td>)}
    </tr>
  );
}
