bits 32
org 0x100000
 mov ecx, 3
l: mov byte [patch+1], cl   ; the very block that runs
patch: mov al, 0
 movzx eax, al
 add ebx, eax
 dec ecx
 jnz l
 ; across a page: code at the end of this page
 mov edi, cross
 mov byte [0x100ffd], 0xb8   ; mov eax, imm32 over the page's end
 mov dword [0x100ffe], 0x11111111
 mov byte [0x101002], 0xc3
 mov esp, 0x8000
 call cross
 add ebx, eax
 mov byte [0x101001], 0x22   ; tail in the second page
 call cross
 add ebx, eax
 hlt
cross equ 0x100ffd
