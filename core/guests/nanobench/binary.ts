/**
 * Generated from core/guests/nanobench/nanobench.asm by `node build/guests.mjs` (nasm). Do not edit.
 * 2008 bytes; a test assembles the source again and compares.
 */
// biome-ignore format: generated
export const BINARY =
  "ArCtGwMAAQD7T1HkAAAQAAAAEADYBxAAYDwQALUAEABQUma6+QMxwO5muvsDsAPuZrr8A+5aWMNSUGa6/QPsqCB0+2a6+ANY7lrD" +
  "UFaKBkaEwHQH6N/////r8l5Yw1BRVuMLigbozv///0ZJdfVeWVjDUFFSicK5CAAAAMHCBInQg+APioAgBhAA6Kn///9JdepaWVjD" +
  "YDHJuwoAAAAx0vfzUkGFwHX2WAQw6Ij///9JdfVhw7xgHBAA/A8BFbgGEADqyQAQAAgAuCMAAACO2I7AuBAAAACO0OjgAwAA6KQE" +
  "AAAPIOCDyBAPIuC4ABAAAA8i2A8gwA0AAAGADyLAix3EBhAAg/sOcx25BAAAAP8UnWgHEACLDcgGEAD/FJ1oBxAA+vTr/Oj0/v//" +
  "MduLDcgGEAD/FJ1oBxAAizSdoAcQAOgE////Vr4wBhAA6Pn+//9eQ4P7DnLVVr4yBhAA6Of+//9e67zDSXX9w+gEAAAASXX4w8Pk" +
  "gEl1+8Mx9rgBAAAAMdL39kl1+8PHBdQGEAAAAAAAvwAAAAKKB0l1+8OJJdwGEABqI2hgPBAAagJqG2i3ARAAz82ASXX7zYGLJdwG" +
  "EADDU1G4AQAAAA+iWVv3wgAIAAB0j4nOMdK4CAAAALl0AQAADzC4YCwQALl1AQAADzC4JQIQALl2AQAADzCJJdwGEABqI2hgPBAA" +
  "agJqG2gXAhAAz7ogAhAAieEPNE519M2BDzW4Z4CEAIoVAIBEAKMgATAASXX4w7hngIQAoyABMAAPAT0AgEQAihUAgEQASXXrw1G4" +
  "ZwCAAKMAEDAADwE9AAAAAYoVAAAAAb8AEDAAuQAEAACJB4PHBAUAEAAASXXzvwAQMAC5AAQAADHAiQeDxwRJdfjoiwEAAFlJdbTD" +
  "xwXUBhAAAQAAAFHoOwEAAOhxAQAA6PMAAABZSXXsw8cF1AYQAAEAAABR6GAAAADoUgEAALgAIDAADyLYxwXYBhAAADAwAIsNzAYQ" +
  "AMHpAkHovgAAALgAEAAADyLYxwXYBhAAAAAwAL4AMDAAuQAEAAD3BgEAAAB0BscGAAAAAIPGBEl17OiDAAAAWUl1m8O+ABAAAL8A" +
  "IDAAuQAEAADzpccFBCAwACcwMAC+AAAwAL8AMDAAuQAEAACLBqgBdAqoAnQEJP2JBokHg8YEg8cESXXnw1G9AAAxAIsV0AYQAA8i" +
  "3ehFAAAAgcUAEAAASnXvWUl137gAEAAADyLYw1HogwAAAOgkAAAAWUl18cOLDcwGEACNQf9rwBEl/wMAAMHgDAUAAEAAiQhJdejD" +
  "iw3MBhAAjUH/a8ARJf8DAADB4AwFAABAAIsASXXow4sNzAYQADHSjUH/a8ARJf8DAACJFIUAADAASXXrwzHAumcAgACJFIUAADAA" +
  "gcIAEAAAQD0ABAAAcuvDDyDYDyLYw4MEJALPz4M91AYQAAB1CIPEBIMEJALPYA8g0MHoDCX/AwAAiz3YBhAA9kQkIAF1DYnCweIM" +
  "gcJnAIAA6y2LFIeB/wAwMAB1H1eJ1oHmAPD//4nHwecMgccAAMAAjVdluQAEAADzpV+DykKJFIcPINAPAThhg8QEz+hz+///Vr5W" +
  "BhAA6JP7//9e6WX8//+/ABAAALkABAAAMcDzq78AIAAAuGcAAACrBQAQAAA9AABAAHLzvwAQMAC5AAwAADHA86voFv///8cFABAA" +
  "ACcgAADHBQQQAAAnADAAxwUIEAAA5wCAAMcFDBAAAOcAwADHBRAQAAAnEDAAuwAAAAC+ABAAAI27AAAxALkABAAA86WNgycAMwCJ" +
  "gwQAMQC+AAAwAI27AAAzALkABAAA86WBwwAQAACB+wAAAgBywsNmiQdmx0cCCADGRwQAiFcFwegQZolHBoPHCMO/4AcQALkgAAAA" +
  "so64qAQQAOjP////SXXzv+AHEAC4MAQQAOi9////v1AIEAC4NgQQAOiu////v+ALEACy7rg1BBAA6J3///+4vgEQAOiT////DwEd" +
  "vgYQAMcF9AsQAGAsEADHBfgLEAAQAAAAZscFVgwQAGgAuPALEABmo7IGEADB6BCitAYQAIgltwYQALgoAAAADwDYwwAwMTIzNDU2" +
  "Nzg5YWJjZGVmCgBlbmQ6IGV2ZXJ5IHByb2dyYW0gd2VudCBpdHMgcm91bmRzCgBlbmQ6IFdST05HLCBhbiBleGNlcHRpb24gdGhh" +
  "dCBub2JvZHkgZXhwZWN0ZWQKAJCQkAAAAAAAAAAA//8AAACbzwD//wAAAJPPAP//AAAA+88A//8AAADzzwBnAAAAAIkAAC8AiAYQ" +
  "AA8E4AcQAP////8IAAAAQAAAAAQAAAAAAAAAAAAwAAAAAABlbXB0eQBjYWxsL3JldABpbgBkaXZ6ZXJvAHBnZmF1bHQAc3lzY2Fs" +
  "bABzeXNlbnRlcgBwdGVtb2QAcHRlbW9kIGFuZCB1c2UAcGFnZS10YWJsZSBmaWxsAGRlbWFuZCBwYWdpbmcAZm9ya3dhaXQAY29u" +
  "dGV4dCBzd2l0Y2gAd2Fsa3MAkJCQaAEQAGwBEAB2ARAAfAEQAIsBEACgARAAxQEQACcCEAA7AhAAVgIQAKMCEADCAhAAdgMQAKAD" +
  "EADgBhAA5gYQAO8GEADyBhAA+gYQAAIHEAAKBxAAEwcQABoHEAApBxAAOQcQAEcHEABQBxAAXwcQAA==";

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
  ["forkwait", 0x1002c2],
  ["fork", 0x100332],
  ["switch", 0x100376],
  ["walks", 0x1003a0],
  ["write_area", 0x1003b0],
  ["write_some", 0x1003b6],
  ["read_area", 0x1003cf],
  ["unmap_area", 0x1003ee],
  ["map_area", 0x10040c],
  ["flush", 0x100429],
  ["on_divide", 0x100430],
  ["on_syscall", 0x100435],
  ["on_page_fault", 0x100436],
  ["unexpected", 0x1004a8],
  ["build_tables", 0x1004be],
  ["store_gate", 0x10056c],
  ["build_gates", 0x100587],
  ["hex_digits", 0x100620],
  ["gdt", 0x100688],
  ["gdt_pointer", 0x1006b8],
  ["idt_pointer", 0x1006be],
  ["wanted", 0x1006c4],
  ["rounds", 0x1006c8],
  ["pages", 0x1006cc],
  ["spaces", 0x1006d0],
  ["on_fault", 0x1006d4],
  ["table", 0x1006d8],
  ["kernel_esp", 0x1006dc],
  ["name_empty", 0x1006e0],
  ["name_callret", 0x1006e6],
  ["name_port_in", 0x1006ef],
  ["name_divzero", 0x1006f2],
  ["name_pgfault", 0x1006fa],
  ["name_syscall", 0x100702],
  ["name_sysenter_loop", 0x10070a],
  ["name_ptemod", 0x100713],
  ["name_ptemod_use", 0x10071a],
  ["name_ptfill", 0x100729],
  ["name_demand", 0x100739],
  ["name_forkwait", 0x100747],
  ["name_switch", 0x100750],
  ["name_walks", 0x10075f],
  ["programs", 0x100768],
  ["names", 0x1007a0],
  ["image_end", 0x1007d8],
  ["idt", 0x1007e0],
  ["tss", 0x100bf0],
  ["stack_top", 0x101c60],
  ["trap_stack_top", 0x102c60],
  ["bss_end", 0x103c60],
  ["user_stack_top", 0x103c60],
];
