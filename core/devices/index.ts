/** The PC around the processor: the port bus and the devices on it. */
export * from "./port-bus.ts";
export * from "./serial.ts";
