	.text
	.file	"golden"
	.p2align	4, 0x90
	.type	k0.scores_prob_1,@function
k0.scores_prob_1:
	addq	$32, %rsi
	vxorps	%xmm0, %xmm0, %xmm0
	movq	$-1, %rax
	vxorps	%xmm1, %xmm1, %xmm1
	vxorps	%xmm2, %xmm2, %xmm2
	vxorps	%xmm3, %xmm3, %xmm3
	vxorps	%xmm4, %xmm4, %xmm4
	vxorps	%xmm5, %xmm5, %xmm5
	.p2align	4, 0x90
.LBB0_1:
	vmovups	-32(%rsi), %ymm6
	vmovups	(%rsi), %ymm7
	vbroadcastss	4(%rdi,%rax,4), %ymm8
	vfmadd231ps	%ymm6, %ymm8, %ymm5
	vfmadd231ps	%ymm8, %ymm7, %ymm4
	vbroadcastss	24(%rdi,%rax,4), %ymm8
	vfmadd231ps	%ymm6, %ymm8, %ymm3
	vfmadd231ps	%ymm8, %ymm7, %ymm2
	vbroadcastss	44(%rdi,%rax,4), %ymm8
	vfmadd231ps	%ymm6, %ymm8, %ymm1
	vfmadd231ps	%ymm7, %ymm8, %ymm0
	incq	%rax
	addq	$64, %rsi
	cmpq	$4, %rax
	jb	.LBB0_1
	vxorps	%xmm6, %xmm6, %xmm6
	vmaxps	%ymm5, %ymm6, %ymm5
	vmovups	%ymm5, (%rdx)
	vxorps	%xmm5, %xmm5, %xmm5
	vmaxps	%xmm4, %xmm5, %xmm4
	vmovlps	%xmm4, 32(%rdx)
	vmaxps	%ymm3, %ymm6, %ymm3
	vmovups	%ymm3, 40(%rdx)
	vmaxps	%xmm2, %xmm5, %xmm2
	vmovlps	%xmm2, 72(%rdx)
	vmaxps	%ymm1, %ymm6, %ymm1
	vmovups	%ymm1, 80(%rdx)
	vmaxps	%xmm0, %xmm5, %xmm0
	vmovlps	%xmm0, 112(%rdx)
	vzeroupper
	retq
.Lfunc_end0:
	.size	k0.scores_prob_1, .Lfunc_end0-k0.scores_prob_1

	.globl	net
	.p2align	4, 0x90
	.type	net,@function
net:
	pushq	%rax
	movq	%rdi, %rax
	leaq	64(%rsi), %rdx
	movq	%rsi, %rdi
	movq	%rax, %rsi
	callq	k0.scores_prob_1
	xorl	%eax, %eax
	popq	%rcx
	retq
.Lfunc_end1:
	.size	net, .Lfunc_end1-net

	.type	.L__unnamed_1,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_1:
	.asciz	"data"
	.size	.L__unnamed_1, 5

	.type	.L__unnamed_2,@object
.L__unnamed_2:
	.asciz	"prob_1"
	.size	.L__unnamed_2, 7

	.type	.L__unnamed_3,@object
.L__unnamed_3:
	.asciz	"weight"
	.size	.L__unnamed_3, 7

	.type	.L__unnamed_4,@object
	.section	.data.rel.ro,"aw",@progbits
	.p2align	4, 0x0
.L__unnamed_4:
	.quad	.L__unnamed_1
	.quad	0
	.quad	15
	.byte	1
	.zero	7
	.quad	.L__unnamed_2
	.quad	64
	.quad	30
	.byte	1
	.zero	7
	.quad	.L__unnamed_3
	.quad	0
	.quad	80
	.byte	0
	.zero	7
	.size	.L__unnamed_4, 96

	.type	net_config,@object
	.globl	net_config
	.p2align	4, 0x0
net_config:
	.quad	320
	.quad	192
	.quad	0
	.quad	64
	.quad	3
	.quad	.L__unnamed_4
	.size	net_config, 48

	.type	.L__unnamed_5,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_5:
	.asciz	"net"
	.size	.L__unnamed_5, 4

	.type	.L__unnamed_6,@object
.L__unnamed_6:
	.asciz	"sheaf 0.1.0"
	.size	.L__unnamed_6, 12

	.type	.L__unnamed_7,@object
	.section	.rodata.str1.16,"aMS",@progbits,1
	.p2align	4, 0x0
.L__unnamed_7:
	.asciz	"x86_64-unknown-linux-gnu"
	.size	.L__unnamed_7, 25

	.type	.L__unnamed_8,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_8:
	.asciz	"x86-64-v3"
	.size	.L__unnamed_8, 10

	.type	.L__unnamed_9,@object
	.section	.rodata.str1.16,"aMS",@progbits,1
	.p2align	4, 0x0
.L__unnamed_9:
	.asciz	"+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"
	.size	.L__unnamed_9, 96

	.type	.L__unnamed_10,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_10:
	.asciz	"data"
	.size	.L__unnamed_10, 5

	.type	.L__unnamed_11,@object
	.section	.rodata,"a",@progbits
	.p2align	3, 0x0
.L__unnamed_11:
	.quad	3
	.quad	5
	.size	.L__unnamed_11, 16

	.type	.L__unnamed_12,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_12:
	.asciz	"plain"
	.size	.L__unnamed_12, 6

	.type	.L__unnamed_13,@object
.L__unnamed_13:
	.asciz	"prob/1"
	.size	.L__unnamed_13, 7

	.type	.L__unnamed_14,@object
	.section	.rodata,"a",@progbits
	.p2align	3, 0x0
.L__unnamed_14:
	.quad	3
	.quad	10
	.size	.L__unnamed_14, 16

	.type	.L__unnamed_15,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_15:
	.asciz	"plain"
	.size	.L__unnamed_15, 6

	.type	.L__unnamed_16,@object
.L__unnamed_16:
	.asciz	"weight"
	.size	.L__unnamed_16, 7

	.type	.L__unnamed_17,@object
	.section	.rodata,"a",@progbits
	.p2align	3, 0x0
.L__unnamed_17:
	.quad	5
	.quad	10
	.size	.L__unnamed_17, 16

	.type	.L__unnamed_18,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L__unnamed_18:
	.asciz	"ba16b"
	.size	.L__unnamed_18, 6

	.type	.L__unnamed_19,@object
	.section	.data.rel.ro,"aw",@progbits
	.p2align	4, 0x0
.L__unnamed_19:
	.quad	.L__unnamed_10
	.long	1
	.long	1
	.long	2
	.long	0x00000000
	.long	0
	.long	0
	.quad	60
	.quad	.L__unnamed_11
	.quad	.L__unnamed_12
	.quad	0
	.quad	.L__unnamed_13
	.long	1
	.long	2
	.long	2
	.long	0x00000000
	.long	0
	.long	0
	.quad	120
	.quad	.L__unnamed_14
	.quad	.L__unnamed_15
	.quad	0
	.quad	.L__unnamed_16
	.long	1
	.long	0
	.long	2
	.long	0x00000000
	.long	0
	.long	0
	.quad	320
	.quad	.L__unnamed_17
	.quad	.L__unnamed_18
	.quad	0
	.size	.L__unnamed_19, 192

	.type	net_info,@object
	.globl	net_info
	.p2align	4, 0x0
net_info:
	.long	1
	.long	152
	.quad	.L__unnamed_5
	.quad	.L__unnamed_6
	.quad	.L__unnamed_7
	.quad	.L__unnamed_8
	.quad	.L__unnamed_9
	.ascii	"\027H\3528\005\322\232\013J/\336x\245\207\355\272"
	.long	0
	.long	0
	.quad	net_config
	.quad	.L__unnamed_19
	.quad	0
	.quad	0
	.quad	0
	.quad	168
	.quad	150
	.quad	0
	.quad	0
	.quad	0
	.size	net_info, 152

	.section	".note.GNU-stack","",@progbits
