; placeholder that halts
        org 0x100000
        bits 32
section .text
section .data follows=.text align=16
section .bss nobits follows=.data align=16
%include "common/multiboot.inc"
        multiboot_header 0, start
section .text
start:  cli
        hlt
section .bss
        resb 16
bss_end:
