/**
 * Generated from core/guests/nanobench/nanobench.asm by `node build/guests.mjs` (nasm). Do not edit.
 * 2136 bytes; a test assembles the source again and compares.
 */
// biome-ignore format: generated
export const BINARY =
  "ArCtGwMAAQD7T1HkAAAQAAAAEABYCBAA4DwQALUAEABQUma6+QMxwO5muvsDsAPuZrr8A+5aWMNSUGa6/QPsqCB0+2a6+ANY7lrD" +
  "UFaKBkaEwHQH6N/////r8l5Yw1BRVuMLigbozv///0ZJdfVeWVjDUFFSicK5CAAAAMHCBInQg+APioCQBhAA6Kn///9JdepaWVjD" +
  "YDHJuwoAAAAx0vfzUkGFwHX2WAQw6Ij///9JdfVhw7zgHBAA/A8BFSgHEADqyQAQAAgAuCMAAACO2I7AuBAAAACO0OhMBAAA6BAF" +
  "AAAPIOCDyBAPIuC4ABAAAA8i2A8gwA0AAAGADyLAix00BxAAg/sPcx25BAAAAP8UneAHEACLDTgHEAD/FJ3gBxAA+vTr/Oj0/v//" +
  "MduLDTgHEAD/FJ3gBxAAizSdHAgQAOgE////Vr6gBhAA6Pn+//9eQ4P7D3LVVr6iBhAA6Of+//9e67zDSXX9w+gEAAAASXX4w8Pk" +
  "gEl1+8Mx9rgBAAAAMdL39kl1+8PHBUgHEAAAAAAAvwAAAAKKB0l1+8OJJVAHEABqI2jgPBAAagJqG2i3ARAAz82ASXX7zYGLJVAH" +
  "EADDU1G4AQAAAA+iWVv3wgAIAAB0j4nOMdK4CAAAALl0AQAADzC44CwQALl1AQAADzC4JQIQALl2AQAADzCJJVAHEABqI2jgPBAA" +
  "agJqG2gXAhAAz7ogAhAAieEPNE519M2BDzW4Z4CEAIoVAIBEAKMgATAASXX4w7hngIQAoyABMAAPAT0AgEQAihUAgEQASXXrw1G4" +
  "ZwCAAKMAEDAADwE9AAAAAYoVAAAAAb8AEDAAuQAEAACJB4PHBAUAEAAASXXzvwAQMAC5AAQAADHAiQeDxwRJdfjo9wEAAFlJdbTD" +
  "xwVIBxAAAQAAAFHoqgEAAOjdAQAA6GgBAABZSXXsw8cFSAcQAAEAAABRiw08BxAAjXH/geb/AQAAjb4AAgAAxwS9AAAwAAAAAADB" +
  "5gzB5wwPAb8AAEAAiY8AAEAAi4YAAEAASXXKWUl1v8PHBUgHEAABAAAAUehgAAAA6HIBAAC4ACAwAA8i2McFTAcQAAAwMACLDTwH" +
  "EADB6QJB6OcAAAC4ABAAAA8i2McFTAcQAAAAMAC+ADAwALkABAAA9wYBAAAAdAbHBgAAAACDxgRJdezorAAAAFlJdZvDvgAQAAC/" +
  "ACAwALkABAAA86XHBQQgMAAnMDAAvgAAMAC/ADAwALkABAAAiwaoAXQKqAJ0BCT9iQaJB4PGBIPHBEl158NRvQAAMQCLFUAHEAAP" +
  "It3oawAAAIHFABAAAEp171lJdd+4ABAAAA8i2MNR6KMAAADoSgAAAFlJdfHDgz1EBxAAAHUJa8ARJf8DAADDUonCg+IBweIJ0ehr" +
  "wBEl/wEAAAnQWsOLDTwHEACNQf/oyf///8HgDAUAAEAAiQhJdevDiw08BxAAjUH/6K3////B4AwFAABAAIsASXXrw4sNPAcQADHS" +
  "jUH/6I////+JFIUAADAASXXuwzHAumcAgACJFIUAADAAgcIAEAAAQD0ABAAAcuvDDyDYDyLYw4MEJALPz4M9SAcQAAB1CIPEBIME" +
  "JALPYA8g0MHoDCX/AwAAiz1MBxAA9kQkIAF1DYnCweIMgcJnAIAA6y2LFIeB/wAwMAB1H1eJ1oHmAPD//4nHwecMgccAAMAAjVdl" +
  "uQAEAADzpV+DykKJFIcPINAPAThhg8QEz+gH+///Vr7GBhAA6Cf7//9e6fn7//+/ABAAALkABAAAMcDzq78AIAAAuGcAAACrBQAQ" +
  "AAA9AABAAHLzvwAQMAC5AAwAADHA86voFv///8cFABAAACcgAADHBQQQAAAnADAAxwUIEAAA5wCAAMcFDBAAAOcAwADHBRAQAAAn" +
  "EDAAuwAAAAC+ABAAAI27AAAxALkABAAA86WNgycAMwCJgwQAMQC+AAAwAI27AAAzALkABAAA86WBwwAQAACB+wAAAgBywsNmiQdm" +
  "x0cCCADGRwQAiFcFwegQZolHBoPHCMO/YAgQALkgAAAAso64FAUQAOjP////SXXzv2AIEAC4nAQQAOi9////v9AIEAC4ogQQAOiu" +
  "////v2AMEACy7rihBBAA6J3///+4vgEQAOiT////DwEdLgcQAMcFdAwQAOAsEADHBXgMEAAQAAAAZscF1gwQAGgAuHAMEABmoyIH" +
  "EADB6BCiJAcQAIglJwcQALgoAAAADwDYwwAAAAAAMDEyMzQ1Njc4OWFiY2RlZgoAZW5kOiBldmVyeSBwcm9ncmFtIHdlbnQgaXRz" +
  "IHJvdW5kcwoAZW5kOiBXUk9ORywgYW4gZXhjZXB0aW9uIHRoYXQgbm9ib2R5IGV4cGVjdGVkCgCQkJAAAAAAAAAAAP//AAAAm88A" +
  "//8AAACTzwD//wAAAPvPAP//AAAA888AZwAAAACJAAAvAPgGEAAPBGAIEAD/////CAAAAEAAAAAEAAAAAAAAAAAAAAAAADAAAAAA" +
  "AGVtcHR5AGNhbGwvcmV0AGluAGRpdnplcm8AcGdmYXVsdABzeXNjYWxsAHN5c2VudGVyAHB0ZW1vZABwdGVtb2QgYW5kIHVzZQBw" +
  "YWdlLXRhYmxlIGZpbGwAZGVtYW5kIHBhZ2luZwBmb3Jrd2FpdABjb250ZXh0IHN3aXRjaAB3YWxrcwB3aW5kb3cAaAEQAGwBEAB2" +
  "ARAAfAEQAIsBEACgARAAxQEQACcCEAA7AhAAVgIQAKMCEAAOAxAAwgMQAOwDEADCAhAAVAcQAFoHEABjBxAAZgcQAG4HEAB2BxAA" +
  "fgcQAIcHEACOBxAAnQcQAK0HEAC7BxAAxAcQANMHEADZBxAA";

/** Labels of the source and their linked (virtual) addresses, ascending. */
// biome-ignore format: generated
export const SYMBOLS: readonly (readonly [name: string, address: number])[] = [
  ["header", 0x100000],
  ["image_start", 0x100000],
  ["serial_init", 0x100020],
  ["putc", 0x100038],
  ["puts", 0x10004b],
  ["put_bytes", 0x10005e],
  ["puthex", 0x100072],
  ["putdec", 0x100096],
  ["start", 0x1000b5],
  ["begin", 0x10011c],
  ["end", 0x100123],
  ["every", 0x100127],
  ["absent", 0x100167],
  ["empty", 0x100168],
  ["callret", 0x10016c],
  ["nothing", 0x100175],
  ["port_in", 0x100176],
  ["divzero", 0x10017c],
  ["pgfault", 0x10018b],
  ["syscall", 0x1001a0],
  ["leave_user", 0x1001be],
  ["sysenter_loop", 0x1001c5],
  ["ptemod", 0x100227],
  ["ptemod_use", 0x10023b],
  ["ptfill", 0x100256],
  ["demand", 0x1002a3],
  ["window", 0x1002c2],
  ["forkwait", 0x10030e],
  ["fork", 0x10037e],
  ["switch", 0x1003c2],
  ["walks", 0x1003ec],
  ["page_index", 0x1003fc],
  ["write_area", 0x100425],
  ["write_some", 0x10042b],
  ["read_area", 0x100441],
  ["unmap_area", 0x10045d],
  ["map_area", 0x100478],
  ["flush", 0x100495],
  ["on_divide", 0x10049c],
  ["on_syscall", 0x1004a1],
  ["on_page_fault", 0x1004a2],
  ["unexpected", 0x100514],
  ["build_tables", 0x10052a],
  ["store_gate", 0x1005d8],
  ["build_gates", 0x1005f3],
  ["hex_digits", 0x100690],
  ["gdt", 0x1006f8],
  ["gdt_pointer", 0x100728],
  ["idt_pointer", 0x10072e],
  ["wanted", 0x100734],
  ["rounds", 0x100738],
  ["pages", 0x10073c],
  ["spaces", 0x100740],
  ["paired", 0x100744],
  ["on_fault", 0x100748],
  ["table", 0x10074c],
  ["kernel_esp", 0x100750],
  ["name_empty", 0x100754],
  ["name_callret", 0x10075a],
  ["name_port_in", 0x100763],
  ["name_divzero", 0x100766],
  ["name_pgfault", 0x10076e],
  ["name_syscall", 0x100776],
  ["name_sysenter_loop", 0x10077e],
  ["name_ptemod", 0x100787],
  ["name_ptemod_use", 0x10078e],
  ["name_ptfill", 0x10079d],
  ["name_demand", 0x1007ad],
  ["name_forkwait", 0x1007bb],
  ["name_switch", 0x1007c4],
  ["name_walks", 0x1007d3],
  ["name_window", 0x1007d9],
  ["programs", 0x1007e0],
  ["names", 0x10081c],
  ["image_end", 0x100858],
  ["idt", 0x100860],
  ["tss", 0x100c70],
  ["stack_top", 0x101ce0],
  ["trap_stack_top", 0x102ce0],
  ["bss_end", 0x103ce0],
  ["user_stack_top", 0x103ce0],
];
