/**
 * The experiment that the lab runs beside its machine: started, stepped between the host's slices, cancelled. It boots
 * machines of its own with traces of their own, so that nothing of the machine on the screen is touched.
 */
import { type CostTable, EXPERIMENTS, type Experiment, type Progress } from "../experiment/index.ts";
import { LabError } from "./error.ts";
import type { ExperimentResult, ExperimentResultView, ExperimentView } from "./protocol/index.ts";

const NOTHING: Progress = { done: 0, total: 0, what: "" };

export class Experiments {
  /** What can be started. */
  private readonly list: readonly Experiment[];
  private work: Generator<Progress, ExperimentResult> | null = null;
  private state: ExperimentView["state"] = "idle";
  private run = 0;
  private experiment = "";
  private title = "";
  private progress: Progress = NOTHING;
  private error = "";
  private last: ExperimentResultView = { kind: "experimentResult", run: 0, result: null };

  constructor(list: readonly Experiment[] = EXPERIMENTS) {
    this.list = list;
  }

  /** True while one wants to be stepped. */
  get running(): boolean {
    return this.work !== null;
  }

  /** @throws LabError when there is no such experiment, or one is running */
  start(id: string, costs: readonly CostTable[]): void {
    const experiment = this.list.find((one) => one.id === id);
    if (experiment === undefined) {
      const ids = this.list.map((one) => one.id).join(", ");
      throw new LabError(`there is no experiment "${id}"; there are ${ids}`);
    }
    if (this.work !== null) {
      throw new LabError(
        `"${this.title}" is running, and experiments run one at a time: cancel it or wait for its end`,
      );
    }
    this.work = experiment.run(costs);
    this.state = "running";
    this.run++;
    this.experiment = experiment.id;
    this.title = experiment.title;
    this.progress = NOTHING;
    this.error = "";
  }

  /** Ends the one that runs; what it has counted is gone, the result before it stays. @throws LabError when none runs */
  cancel(): void {
    if (this.work === null) throw new LabError("no experiment is running, so there is none to cancel");
    const { work } = this;
    this.work = null;
    this.state = "cancelled";
    // Runs what the experiment has to tidy up.
    work.return(undefined as never);
  }

  /** Goes on for a few milliseconds at most. Returns true when there is news to tell. Never throws. */
  step(): boolean {
    if (this.work === null) return false;
    const before = this.progress;
    try {
      const step = this.work.next();
      if (step.done === true) {
        this.work = null;
        this.state = "done";
        this.progress = { ...before, done: before.total };
        this.last = { kind: "experimentResult", run: this.run, result: step.value };
        return true;
      }
      this.progress = step.value;
    } catch (error) {
      this.work = null;
      this.state = "failed";
      this.error = error instanceof Error ? error.message : String(error);
      return true;
    }
    return before.done !== this.progress.done || before.what !== this.progress.what;
  }

  view(): ExperimentView {
    const { state, run, experiment, title, error } = this;
    const { done, total, what } = this.progress;
    return { kind: "experiment", state, run, experiment, title, progress: { done, total, what }, error };
  }

  /** The same object until there is another result. */
  resultView(): ExperimentResultView {
    return this.last;
  }
}
