/** A request that cannot be carried out, with the sentence for the person who made it. Nothing was changed. */
export class LabError extends Error {}
