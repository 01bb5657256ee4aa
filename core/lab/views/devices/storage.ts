/**
 * The disks in words: the ATA channel's registers and what hangs on it, and the floppy behind its two ports.
 * Names: ATA/ATAPI-5 (T13/1321D), 7 and 8; docs/firmware.md for the floppy's ports.
 */
import type { Board } from "../../../devices/board.ts";
import { type Disk, SECTOR } from "../../../devices/disk.ts";
import type { DevicePart, DeviceRegister, DriveInfo } from "../../protocol/index.ts";
import { bits, fact, hex, plural, register } from "./words.ts";

const COMMANDS: Readonly<Record<number, string>> = {
  0: "none",
  16: "RECALIBRATE",
  32: "READ SECTOR(S)",
  33: "READ SECTOR(S)",
  48: "WRITE SECTOR(S)",
  49: "WRITE SECTOR(S)",
  64: "READ VERIFY SECTOR(S)",
  112: "SEEK",
  144: "EXECUTE DEVICE DIAGNOSTIC",
  145: "INITIALIZE DEVICE PARAMETERS",
  196: "READ MULTIPLE",
  197: "WRITE MULTIPLE",
  198: "SET MULTIPLE MODE",
  224: "STANDBY IMMEDIATE",
  225: "IDLE IMMEDIATE",
  229: "CHECK POWER MODE",
  231: "FLUSH CACHE",
  236: "IDENTIFY DEVICE",
  239: "SET FEATURES",
};
const PHASES = ["no data is moved", "data to the processor", "data from the processor"];
const MIB = 1 << 20;

export function driveInfos(board: Board): DriveInfo[] {
  const drives = ([0, 1, "floppy"] as const).map((drive) => ({ drive, disk: diskOf(board, drive) }));
  return drives.flatMap(({ drive, disk }) =>
    disk === null ? [] : [{ drive, sectors: disk.sectors, written: disk.written }],
  );
}

/** What is in a drive, or null. */
export function diskOf(board: Board, drive: DriveInfo["drive"]): Disk | null {
  return drive === "floppy" ? board.floppy.disk : (board.disks[drive] ?? null);
}

const sizeOf = (sectors: number): string =>
  sectors * SECTOR >= MIB
    ? `${((sectors * SECTOR) / MIB).toFixed(1)} MiB`
    : `${Math.ceil((sectors * SECTOR) / 1024)} KiB`;

const diskFacts = (disk: Disk): DeviceRegister[] => [
  fact("Size", `${disk.sectors} sectors, ${sizeOf(disk.sectors)}`),
  fact(
    "Written",
    disk.written === 0
      ? "nothing"
      : `${plural(disk.written, "sector")}, kept over the file, which is as it was`,
  ),
];

export function ataParts(board: Board): DevicePart[] {
  const state = board.ata.save();
  const [features, error, count, sector, cylinderLow, cylinderHigh, device, status] = state.registers;
  const lba = (device! & 0x40) !== 0;
  const low = sector! | (cylinderLow! << 8) | (cylinderHigh! << 16);
  const place = lba
    ? `LBA ${low + (device! & 15) * 0x100_0000}`
    : `cylinder ${cylinderLow! | (cylinderHigh! << 8)}, head ${device! & 15}, sector ${sector}`;
  return [
    {
      title: "Command block",
      registers: [
        register(
          "Status",
          status!,
          2,
          bits(status!, { 7: "BSY", 6: "DRDY", 5: "DF", 4: "DSC", 3: "DRQ", 0: "ERR" }),
        ),
        register(
          "Error",
          error!,
          2,
          (status! & 1) === 0 ? "" : bits(error!, { 7: "ICRC", 6: "UNC", 4: "IDNF", 2: "ABRT", 0: "NM" }),
        ),
        register("Command", state.command, 2, COMMANDS[state.command] ?? "a command that is not known"),
        register("Features", features!, 2),
        register("Sector count", count!, 2, plural(count === 0 ? 256 : count!, "sector")),
        register("Sector number", sector!, 2, place),
        register("Cylinder low", cylinderLow!, 2),
        register("Cylinder high", cylinderHigh!, 2),
        register("Device/head", device! | 0xa0, 2, `device ${(device! >> 4) & 1}, ${lba ? "LBA" : "CHS"}`),
        register(
          "Device control",
          state.control,
          2,
          bits(state.control, { 2: "SRST", 1: "nIEN: no interrupts" }, "interrupts on"),
        ),
      ],
    },
    {
      title: "Transfer",
      registers: [
        fact("Phase", PHASES[state.phase] ?? ""),
        fact("Buffer", `byte ${state.at} of ${state.length}`),
        fact("Left", `${plural(state.left, "sector")} to move, next LBA ${state.lba}`),
        fact("IRQ 14", state.irq ? "asserted" : "not asserted"),
      ],
    },
    ...board.disks.map((disk, i) => ({
      title: `Device ${i}`,
      registers:
        disk === null
          ? [fact("Drive", "none")]
          : [
              ...diskFacts(disk),
              fact("Multiple mode", state.multiple[i] === 0 ? "off" : `${state.multiple[i]} sectors a block`),
            ],
    })),
  ];
}

export function ataSummary(board: Board): string {
  const { registers, command } = board.ata.save();
  const drives = driveInfos(board).filter(({ drive }) => drive !== "floppy");
  if (drives.length === 0) return "no drives";
  const status = registers[7]!;
  const state = (status & 0x80) !== 0 ? "busy" : (status & 8) !== 0 ? "wants data moved" : "ready";
  const said = drives.map(
    ({ drive, sectors, written }) =>
      `drive ${drive}: ${sizeOf(sectors)}, ${written === 0 ? "nothing written" : `${plural(written, "sector")} written`}`,
  );
  const last = COMMANDS[command] ?? hex(command, 2);
  return `${said.join("; ")}; ${state}${command === 0 ? "" : `, last command ${last}`}`;
}

// ---- floppy ----

const FLOPPY_COMMANDS = ["IDENTIFY", "READ", "WRITE"];
const FLOPPY_PHASES = ["nothing", "the number of a sector", "data"];

export function floppyParts({ floppy }: Board): DevicePart[] {
  const { disk, geometry } = floppy;
  const { command, phase, error, lba, at } = floppy.place;
  const drive =
    disk === null || geometry === null
      ? [fact("Floppy", "none")]
      : [
          fact(
            "Format",
            `type ${geometry.type}: ${plural(geometry.cylinders, "cylinder")}, ${plural(geometry.heads, "head")}, ${geometry.sectors} sectors a track`,
          ),
          ...diskFacts(disk),
        ];
  const status = (disk === null ? 0 : 1) | (error ? 2 : 0);
  return [
    {
      title: "",
      registers: [
        register("Status (520)", status, 2, bits(status, { 0: "there is a floppy", 1: "error" })),
        register("Command", command, 2, FLOPPY_COMMANDS[command] ?? "a command that is not known"),
        fact("Awaits at 521", FLOPPY_PHASES[phase] ?? ""),
        fact("Place", `byte ${at} of ${phase === 1 ? "the number" : `sector ${lba}`}`),
        ...drive,
      ],
    },
  ];
}

export function floppySummary({ floppy }: Board): string {
  const { disk } = floppy;
  if (disk === null) return "no floppy";
  const { command, phase } = floppy.place;
  const written = disk.written === 0 ? "nothing written" : `${plural(disk.written, "sector")} written`;
  const does = phase === 0 || command === 0 ? "ready" : command === 1 ? "is read" : "is written";
  return `${sizeOf(disk.sectors)}, ${written}; ${does}`;
}
