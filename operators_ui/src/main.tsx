import { createRoot } from "react-dom/client";
import { speakFrench } from "./lib/field-words";
import { SessionController } from "./session/session-controller";
import { App } from "./shell/app";

const controller = new SessionController((url, init) => window.fetch(url, init), {
  now: () => Date.now(),
  later: (act, delay_ms) => void window.setTimeout(act, delay_ms),
});
speakFrench(document);
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(<App controller={controller} />);
void controller.start();
