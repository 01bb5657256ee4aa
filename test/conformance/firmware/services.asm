; A disk that asks a PC's firmware for every service it documents and tells the answers on the debug console. Its first sector
; loads the rest. The test runs it under this firmware and under others, and compares.
        cpu     686
        bits    16
        org     0x7c00

SECTORS         equ 24                  ; behind the first
SCRATCH         equ 0x2000              ; segments to read into
SCRATCH2        equ 0x3000

start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7000
        sti
        cld
        mov     [drive], dl
        mov     si, 1                   ; a sector at a time: a floppy's track has 18
.next:  mov     ax, si
        mov     bl, 18                  ; sector and head of a floppy; a hard disk's first head has 63
        test    byte [drive], 0x80
        jz      .floppy
        mov     bl, 63
.floppy:
        div     bl
        mov     cl, ah
        inc     cl
        mov     ch, 0
        mov     dh, al
        mov     dl, [drive]
        mov     bx, si
        shl     bx, 9
        add     bx, 0x7c00
        mov     ax, 0x0201
        int     0x13
        jc      .failed
        inc     si
        cmp     si, SECTORS
        jbe     .next
        jmp     main
.failed:
        mov     al, '!'
        out     0xe9, al
        out     0xf4, al
        jmp     $
drive:  db      0
        times 510 - ($ - $$) db 0
        dw      0xaa55

%include "report.inc"
%include "services-memory.inc"
%include "services-disk.inc"
%include "services-screen.inc"
%include "services-keys.inc"
%include "services-rest.inc"

main:
        mov     al, [drive]
        xor     ah, ah
        REPORT  "~drive", "a"
        call    test_memory
        call    test_disk
        call    test_screen
        call    test_rest
        call    test_keys
        jmp     finish

        times 512 * (SECTORS + 1) - ($ - $$) db 0
; Sectors behind the program are the test's: each begins with its own number.
%assign n SECTORS + 1
%rep 2000
        dd      n
        times 508 db (n * 7) & 0xff
%assign n n + 1
%endrep
