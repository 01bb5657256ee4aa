/** The lab, for hosts and the command line. */
export { LabError } from "./error.ts";
export { Lab, type LabOptions } from "./lab.ts";
export { makeReport, type RunReport } from "./report.ts";
