// @ts-check

// The dialog of one scenario: its real code, its numbers, and how to send the same by hand.

import { fileName } from "../format.js";
import { codeBlock } from "./code.js";
import { make, part } from "./parts.js";

export class SourceView {
  #dialog;
  #title;
  #place;
  #code;
  #params;
  #curl;
  #signal;

  /**
   * @param {ParentNode} root
   * @param {AbortSignal} signal
   */
  constructor(root, signal) {
    this.#dialog = /** @type {HTMLDialogElement} */ (part(root, "source"));
    this.#title = part(root, "source-title");
    this.#place = part(root, "source-place");
    this.#code = part(root, "source-code");
    this.#params = part(root, "source-params");
    this.#curl = part(root, "source-curl");
    this.#signal = signal;
  }

  /**
   * @param {import("./triggers.js").Scenario} scenario
   * @param {import("./triggers.js").TriggersView} triggers
   * @param {string | null} demoUrl
   */
  show(scenario, triggers, demoUrl) {
    const { file, line } = scenario.source;
    this.#title.textContent = scenario.title;
    this.#place.textContent = `${fileName(file)}:${line}`;
    this.#place.title = file;
    this.#code.replaceChildren(
      ...[scenario.source, ...scenario.helpers].map((each) => codeBlock(each.code, each.line)),
    );
    this.#params.replaceChildren(...scenario.params.map((p) => this.#field(scenario, p, triggers, demoUrl)));
    this.#showCurl(scenario, triggers, demoUrl);
    this.#dialog.showModal();
  }

  #field(scenario, param, triggers, demoUrl) {
    const input = /** @type {HTMLInputElement} */ (make("input", ""));
    input.type = "number";
    input.min = String(param.min);
    input.max = String(param.max);
    input.step = "any";
    input.value = String(triggers.paramsOf(scenario)[param.name]);
    const change = () => {
      if (input.value === "" || !input.checkValidity()) return;
      triggers.setParam(scenario, param.name, input.valueAsNumber);
      this.#showCurl(scenario, triggers, demoUrl);
    };
    input.addEventListener("input", change, { signal: this.#signal });
    const range = make("small", "", `${param.min} to ${param.max} ${param.unit}`);
    return make("label", "field", make("span", "", param.name), input, range);
  }

  #showCurl(scenario, triggers, demoUrl) {
    const query = new URLSearchParams(
      Object.entries(triggers.paramsOf(scenario)).map(([name, value]) => [name, String(value)]),
    ).toString();
    const base = demoUrl ?? "";
    this.#curl.textContent = `curl '${base}${scenario.path}${query ? `?${query}` : ""}'`;
  }
}
