/** The processor. (Placeholder of the contract; the x86 room fills it.) */
export class Cpu {}
