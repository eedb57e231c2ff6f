/*
 * Whatever inference accepts, lowering lowers and the evaluator runs: a valid node per operator is
 * changed at random (types, ranks and extents of inputs, attributes, constants become inputs), and
 * inferred.  Refusals must come with one sentence; what is accepted is built, validated and run.
 * Results are not looked at; the sanitizers watch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"
#include "ir/graph.h"
#include "ir/program.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static const char *const nodes[] = {
    "const %x f32 [2,3] = fill 1 %y = relu (%x)",
    "const %x f32 [2,3] = fill 1 %y = leaky_relu (%x)",
    "const %x f32 [2,3] = fill 1 const %l f32 [] = {0} %y = clip (%x, %l, %l)",
    "const %x f32 [2,3] = fill 1 %y = sigmoid (%x)",
    "const %x f32 [2,3] = fill 1 %y = hard_sigmoid (%x)",
    "const %x f32 [2,3] = fill 1 %y = tanh (%x)",
    "const %x f32 [2,3] = fill 1 %y = exp (%x)",
    "const %x f32 [2,3] = fill 1 %y = log (%x)",
    "const %x f32 [2,3] = fill 1 %y = sqrt (%x)",
    "const %x f32 [2,3] = fill 1 %y = erf (%x)",
    "const %x f32 [2,3] = fill 1 %y = neg (%x)",
    "const %x f32 [2,3] = fill 1 %y = abs (%x)",
    "const %x f32 [2,3] = fill 1 %y = floor (%x)",
    "const %x f32 [2,3] = fill 1 %y = ceil (%x)",
    "const %x f32 [2,3] = fill 1 %y = reciprocal (%x)",
    "const %x f32 [2,3] = fill 1 %y = elu (%x)",
    "const %x f32 [2,3] = fill 1 %y = celu (%x)",
    "const %x f32 [2,3] = fill 1 %y = selu (%x)",
    "const %x f32 [2,3] = fill 1 %y = softplus (%x)",
    "const %x f32 [2,3] = fill 1 %y = softsign (%x)",
    "const %x f32 [2,3] = fill 1 %y = mish (%x)",
    "const %x f32 [2,3] = fill 1 %y = shrink (%x)",
    "const %x f32 [2,3] = fill 1 %y = thresholded_relu (%x)",
    "const %x f32 [2,3] = fill 1 %y = swish (%x)",
    "const %x f32 [2,3] = fill 1 %y = hard_swish (%x)",
    "const %x f32 [2,3] = fill 1 %y = gelu (%x)",
    "const %x f32 [2,3] = fill 1 %y = sin (%x)",
    "const %x f32 [2,3] = fill 1 %y = cos (%x)",
    "const %x f32 [2,3] = fill 1 %y = tan (%x)",
    "const %x f32 [2,3] = fill 1 %y = asin (%x)",
    "const %x f32 [2,3] = fill 1 %y = acos (%x)",
    "const %x f32 [2,3] = fill 1 %y = atan (%x)",
    "const %x f32 [2,3] = fill 1 %y = sinh (%x)",
    "const %x f32 [2,3] = fill 1 %y = cosh (%x)",
    "const %x f32 [2,3] = fill 1 %y = asinh (%x)",
    "const %x f32 [2,3] = fill 1 %y = acosh (%x)",
    "const %x f32 [2,3] = fill 1 %y = atanh (%x)",
    "const %x f32 [2,3] = fill 1 %y = round (%x)",
    "const %x f32 [2,3] = fill 1 %y = sign (%x)",
    "const %x f32 [2,3] = fill 1 %y = is_nan (%x)",
    "const %x f32 [2,3] = fill 1 %y = is_inf (%x)",
    "const %x i32 [2,3] = fill 1 %y = bit_not (%x)",
    "const %x i32 [2,3] = fill 1 %y = bit_cast (%x) {to=1}",
    "const %x bool [2,3] = fill 1 %y = not (%x)",
    "const %x f32 [2,3] = fill 1 %y = identity (%x)",
    "const %x f32 [2,3] = fill 1 %y = cast (%x) {to=3}",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = add (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = sub (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = mul (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = div (%a, %b)",
    "const %a i32 [2,3] = fill -7 const %b i32 [3] = fill 0 %y = div (%a, %b)",
    "const %a i32 [2,3] = fill 1 const %b i64 [3] = fill 2 %y = pow (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = prelu (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = sum (%a, %b, %a)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = max (%a, %b, %a)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = min (%a, %b, %a)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = equal (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = less (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = greater (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = less_or_equal (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = greater_or_equal (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = mod (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3] = fill 2 %y = mean (%a, %b)",
    "const %a i32 [2,3] = fill -7 const %b i32 [3] = fill 0 %y = mod (%a, %b)",
    "const %a i32 [2,3] = fill 1 const %b i32 [3] = fill 2 %y = bit_and (%a, %b)",
    "const %a i32 [2,3] = fill 1 const %b i32 [3] = fill 2 %y = bit_or (%a, %b)",
    "const %a i32 [2,3] = fill 1 const %b i32 [3] = fill 2 %y = bit_xor (%a, %b)",
    "const %a u8 [2,3] = fill 1 const %b u8 [3] = fill 2 "
    "%y = bit_shift (%a, %b) {direction=\"LEFT\"}",
    "const %a bool [2,3] = fill 1 const %b bool [3] = fill 0 %y = xor (%a, %b)",
    "const %a f32 [] = {1} const %b f32 [1] = {7} const %c f32 [] = {2} "
    "%y = range (%a, %b, %c) {bound=4}",
    "const %a bool [2,3] = fill 1 const %b bool [3] = fill 0 %y = and (%a, %b)",
    "const %a bool [2,3] = fill 1 const %b bool [3] = fill 0 %y = or (%a, %b)",
    "const %c bool [3] = fill 1 const %a f32 [2,3] = fill 1 const %b f32 [1] = fill 2 "
    "%y = where (%c, %a, %b)",
    "const %x f32 [2,4,3,3] = fill 1 const %w f32 [4,2,2,2] = fill 2 const %b f32 [4] = fill 3 "
    "%y = conv (%x, %w, %b) {group=2, pads=[1,0,0,1], strides=[2,1]}",
    "const %a f32 [2,1,2,3] = fill 1 const %b f32 [2,3,2] = fill 2 %y = matmul (%a, %b)",
    "const %a f32 [2,3] = fill 1 const %b f32 [3,2] = fill 2 const %c f32 [2] = fill 3 "
    "%y = gemm (%a, %b, %c) {alpha=2}",
    "const %x u8 [1,2,3,3] = fill 9 const %s f32 [] = {0.5} const %z u8 [] = {3} "
    "const %w u8 [2,2,2,2] = fill 4 const %b i32 [2] = fill 3 "
    "%y = qlinear_conv (%x, %s, %z, %w, %s, %z, %s, %z, %b) {pads=[1,1,0,0]}",
    "const %x u8 [1,4,3,3] = fill 9 const %z u8 [] = {3} const %w i8 [4,2,2,2] = fill 4 "
    "const %v i8 [4] = fill 1 "
    "%y = conv_integer (%x, %w, %z, %v) {group=2, pads=[1,0,0,1], strides=[2,1], pad_value=2}",
    "const %a i16 [2,1,2,3] = fill 1 const %b u8 [2,3,2] = fill 2 const %z i16 [2,1,2,1] = fill 1 "
    "const %v u8 [2] = fill 1 %y = matmul_integer (%a, %b, %z, %v)",
    "const %a i8 [2,3] = fill 1 const %r f32 [2] = fill 0.5 const %s f32 [] = {0.5} "
    "const %z i8 [] = {3} const %b u8 [3,2] = fill 2 const %v u8 [2] = fill 1 "
    "%y = qlinear_matmul (%a, %r, %z, %b, %s, %v, %s, %z)",
    "const %q f32 [1,4,2,3] = fill 1 const %k f32 [1,2,3,3] = fill 2 const %m bool [2,4] = fill 1 "
    "const %p f32 [1,2,1,3] = fill 1 %y, %pk, %pv, %s = attention (%q, %k, %k, %m, %p, %p)"
    "{is_causal=1, softcap=2}",
    "const %q f32 [1,2,8] = fill 1 const %k f32 [1,3,4] = fill 2 const %n i64 [1] = {2} "
    "%y = attention (%q, %k, %k, _, _, _, %n) {q_num_heads=4, kv_num_heads=2}",
    "const %x f32 [3,2,2] = fill 1 const %w f32 [2,8,2] = fill 0.5 const %b f32 [2,16] = fill 0.1 "
    "const %n i32 [2] = {1, 3} const %h f32 [2,2,2] = fill 0 const %p f32 [2,6] = fill 0.1 "
    "%y, %yh, %yc = lstm (%x, %w, %w, %b, %n, %h, %h, %p) {direction=\"bidirectional\", clip=3}",
    "const %x f32 [2,3,2] = fill 1 const %c f32 [3] = fill 1 %y = batch_norm (%x, %c, %c, %c, %c)",
    "const %x f32 [3,2,2] = fill 1 const %w f32 [2,6,2] = fill 0.5 const %b f32 [2,12] = fill 0.1 "
    "const %n i32 [2] = {1, 3} const %h f32 [2,2,2] = fill 0 "
    "%y, %yh = gru (%x, %w, %w, %b, %n, %h) {direction=\"bidirectional\", clip=3, "
    "linear_before_reset=1}",
    "const %x f32 [3,2,2] = fill 1 const %w f32 [1,6,2] = fill 0.5 const %r f32 [1,6,2] = fill 1 "
    "%y, %yh = gru (%x, %w, %r) {direction=\"reverse\"}",
    "const %x f32 [3,2,2] = fill 1 const %w f32 [1,2,2] = fill 0.5 const %b f32 [1,4] = fill 0.1 "
    "const %n i32 [2] = {1, 3} %y, %yh = rnn (%x, %w, %w, %b, %n) {activations=[\"relu\"]}",
    "const %x f32 [2,3,8] = fill 1 const %c f32 [5,1] = fill 0.5 const %p i64 [2,3] = fill 4 "
    "%y = rotary_embedding (%x, %c, %c, %p) {num_heads=2, rotary_embedding_dim=2}",
    "const %q f32 [1,2,8] = fill 1 const %k f32 [1,2,4] = fill 2 const %s f32 [1,2,2,2] = fill 0 "
    "const %b f32 [1,2,2] = fill 0.5 %y, %t = linear_attention (%q, %k, %k, %s, %k, %b) "
    "{q_num_heads=4, kv_num_heads=2}",
    "const %x f32 [2,3,2,2] = fill 1 %y = lrn (%x) {size=3}",
    "const %x f32 [2,3] = fill 1 %y = softmax (%x)",
    "const %x f32 [1,2,4,4] = fill 1 %y = max_pool (%x)"
    "{kernel_shape=[2,2], strides=[2,1], pads=[0,1,1,0], dilations=[1,2], ceil_mode=1}",
    "const %x f32 [1,2,4,4] = fill 1 %y = average_pool (%x)"
    "{kernel_shape=[2,2], strides=[2,1], pads=[0,1,1,0], dilations=[1,2], ceil_mode=1}",
    "const %x f32 [1,2,4,4] = fill 1 %y = global_average_pool (%x)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_mean (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_sum (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_max (%x, %a)",
    "const %x u8 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_min (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_prod (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_l1 (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_l2 (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_sum_square (%x, %a)",
    "const %x f32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_log_sum (%x, %a)",
    "const %x i32 [2,3,40] = fill 1 const %a i64 [2] = {0, -1} %y = reduce_log_sum_exp (%x, %a)",
    "const %x f32 [2,3] = fill 1 const %a i64 [] = {1} %y = cum_sum (%x, %a) {reverse=1}",
    "const %x f32 [2,3] = fill 1 const %a i64 [] = {1} %y = cum_prod (%x, %a) {exclusive=1}",
    "const %x f32 [2,3] = fill 1 %y = log_softmax (%x)",
    "const %x f32 [2,3,4] = fill 1 const %s f32 [3,1] = fill 2 "
    "%y, %m, %i = normalize (%x, %s, %s) {axes=[2], stash_type=1}",
    "const %x f32 [2,3,4] = fill 1 const %t i64 [2,4] = fill 2 const %w f32 [3] = fill 2 "
    "%y, %u = nll_loss (%x, %t, %w) {ignore_index=1}",
    "const %x f32 [1,2,4,4] = fill 1 %y, %i = max_pool_indices (%x)"
    "{kernel_shape=[2,2], strides=[2,1], pads=[0,1,1,0], storage_order=1}",
    "const %x f32 [1,2,4,4] = fill 1 const %i i64 [1,2,4,4] = fill 5 %y = max_unpool (%x, %i)"
    "{kernel_shape=[2,2], strides=[2,1], pads=[0,1,1,0]}",
    "const %x f32 [1,2,4,4] = fill 1 %y = lp_pool (%x)"
    "{kernel_shape=[2,2], strides=[2,1], pads=[0,1,1,0], dilations=[1,2], p=3}",
    "const %x f32 [2,3] = fill 1 %y = arg_max (%x) {axis=1}",
    "const %x f32 [2,3] = fill 1 %y = arg_min (%x) {axis=1}",
    "const %x f32 [2,3] = fill 1 const %k i64 [1] = {2} %y, %i = top_k (%x, %k) {axis=1}",
    "const %x f32 [2,4,3,3] = fill 1 const %w f32 [4,2,2,2] = fill 2 const %b f32 [4] = fill 3 "
    "%y = conv_transpose (%x, %w, %b) {group=2, pads=[1,0,0,1], strides=[2,1], "
    "output_padding=[1,0], dilations=[2,2]}",
    "const %x f32 [1,2,3] = fill 1 const %w f32 [2,2,5] = fill 2 "
    "%y = conv_transpose (%x, %w) {strides=[65], auto_pad=\"SAME_UPPER\"}",
    "const %x f32 [1,4,3,3] = fill 1 const %w f32 [2,2,2,2] = fill 2 const %b f32 [2] = fill 3 "
    "const %o f32 [1,16,2,2] = fill 0.5 const %m f32 [1,8,2,2] = fill 0.5 "
    "%y = deform_conv (%x, %w, %o, %b, %m) {group=2, offset_group=2}",
    "const %x f32 [2,3,3] = fill 1 %y = det (%x)",
    "const %x f32 [2,3] = fill 1 const %s i64 [2] = {-1, 2} %y = reshape (%x, %s)",
    "const %x f32 [2,3,2] = fill 1 %y = flatten (%x)",
    "const %x f32 [2,1,3] = fill 1 const %a i64 [1] = {1} %y = squeeze (%x, %a)",
    "const %x f32 [2,3] = fill 1 const %a i64 [2] = {0, -1} %y = unsqueeze (%x, %a)",
    "const %x f32 [2,3,4] = fill 1 %y = transpose (%x) {perm=[2,0,1]}",
    "const %a f32 [2,1] = fill 1 const %b f32 [2,2] = fill 2 %y = concat (%a, %b, %a) {axis=1}",
    "const %x f32 [2,5] = fill 1 const %s i64 [2] = {2, 3} %y, %z = split (%x, %s) {axis=1}",
    "const %x f32 [2,5] = fill 1 %y, _, %z = split (%x) {axis=1, num_outputs=3}",
    "const %x f32 [4,5] = fill 1 const %s i64 [2] = {-1, 0} const %e i64 [2] = {-9, 3} "
    "const %a i64 [2] = {1, 0} const %t i64 [2] = {-2, 1} %y = slice (%x, %s, %e, %a, %t)",
    "const %x f32 [4,5] = fill 1 const %i i64 [2,2] = {-1, 0, 9, 3} %y = gather (%x, %i) {axis=1}",
    "const %x f32 [2,3] = fill 1 const %i i64 [2,2] = {-1, 0, 9, 3} "
    "%y = gather_elements (%x, %i) {axis=1}",
    "const %x f32 [2,3,2] = fill 1 const %i i64 [2,2,1] = {-1, 0, 9, 3} "
    "%y = gather_nd (%x, %i) {batch_dims=1}",
    "const %x f32 [2,3] = fill 1 const %i i64 [2,2] = {-1, 0, 9, 3} const %u f32 [2,2] = fill 2 "
    "%y = scatter_elements (%x, %i, %u) {axis=1, reduction=\"add\"}",
    "const %x f32 [2,3] = fill 1 const %i i64 [2,1] = {-1, 9} const %u f32 [2,3] = fill 2 "
    "%y = scatter_nd (%x, %i, %u) {reduction=\"max\"}",
    "const %x f32 [2,4,3] = fill 1 const %u f32 [2,2,3] = fill 2 const %i i64 [2] = {3, -1} "
    "%y = tensor_scatter (%x, %u, %i) {mode=\"circular\"}",
    "const %x f32 [2,3] = fill 1 const %r i64 [2] = {3, 2} %y = tile (%x, %r)",
    "const %x f32 [2,3] = fill 1 const %k i64 [] = {1} %y = trilu (%x, %k) {upper=0}",
    "const %x f32 [2,3] = fill 1 %y = eye_like (%x) {dtype=7, k=-1}",
    "const %i i64 [2,3] = fill 1 const %d i64 [] = {4} const %v f32 [2] = {0, 1} "
    "%y = one_hot (%i, %d, %v) {axis=1}",
    "const %x f32 [2,3] = fill 1 const %n i64 [3] = {2, 1, 9} %y = reverse_sequence (%x, %n)",
    "const %x f32 [2,3] = fill 1 const %i i64 [4] = {0, 1, 2, 2} %y = pick (%x, %i) {axes=[1]}",
    "const %x f32 [2,3] = fill 1 const %i i64 [2,2] = {0, -1, 2, 2} "
    "const %w f32 [2,2] = fill 0.5 %y = resample (%x, %i, %w) {axes=[1]}",
    "const %x f32 [1,2,3,3] = fill 1 const %g f32 [1,2,2,2] = fill 0.5 "
    "%y = grid_sample (%x, %g) {mode=\"cubic\"}",
    "const %t f32 [2,2,3] = fill 1 const %s i64 [4] = {2, 1, 3, 4} %y = affine_grid (%t, %s)",
    "const %x f32 [1,2,3,3] = fill 1 const %r f32 [2,4] = {0, 0, 2, 3, -9, 1, 9, 2} "
    "const %b i64 [2] = {0, 5} %y = roi_align (%x, %r, %b) {output_height=2}",
    "const %x f32 [1,4,4] = fill 1 const %i i64 [2] = {3, 3} const %b i64 [2] = {2, 2} "
    "%y = col2im (%x, %i, %b)",
    "const %x f32 [2,3] = fill 1 const %c bool [3] = {1, 0, 1} %y = compress (%x, %c) {axis=1}",
    "const %x f32 [2,3] = fill 1 %y, %i, %v, %c = unique (%x) {axis=1, sorted=0}",
    "const %b f32 [1,3,4] = fill 1 const %s f32 [1,2,3] = fill 0.5 const %m i64 [] = {2} "
    "const %o f32 [] = {0.5} %y = non_max_suppression (%b, %s, %m, %o)",
    "const %x f32 [2,3] = fill 1 %y = size (%x)",
    "const %x f32 [2,3] = fill 1 const %p i64 [4] = {1, -1, 0, 2} const %v f32 [] = {7} "
    "%y = pad (%x, %p, %v)",
    "const %x f32 [2,3] = fill 1 const %p i64 [2] = {4, 5} const %a i64 [1] = {-1} "
    "%y = pad (%x, %p, _, %a) {mode=\"reflect\"}",
    "const %x f32 [2,1] = fill 1 const %s i64 [3] = {2, 1, 3} %y = expand (%x, %s)",
    "const %x f32 [2,1,4] = fill 1 %y = shape (%x) {start=1}",
    "const %s i64 [2] = {2, 3} %y = constant_of_shape (%s)",
    "const %x f32 [2,3] = fill 1 const %s f32 [3] = fill 0.5 const %z i8 [3] = fill 1 "
    "%y = quantize_linear (%x, %s, %z)",
    "const %x u4 [2,3] = fill 1 const %s f32 [2] = fill 0.5 const %z u4 [2] = fill 1 "
    "%y = dequantize_linear (%x, %s, %z) {axis=0}",
    "const %x i8 [4,3] = fill 1 const %s f32 [2,3] = fill 0.5 const %z i8 [2,3] = fill 1 "
    "%y = dequantize_linear (%x, %s, %z) {axis=0, block_size=2, output_dtype=10}",
    "const %x f32 [2,3] = fill 1 %y, %s, %z = dynamic_quantize_linear (%x)",
    "const %x i32 [2,3] = fill 100 const %m i32 [3] = {1, 20, 300} const %s i8 [3] = {0, 3, 9} "
    "%y = rescale (%x, %m, %s) {rounding=\"even\", x_zero_point=3, y_zero_point=-4, bound=900}",
    "const %x i64 [2,3] = fill 100 const %m i32 [] = {1} const %s i8 [] = {30} "
    "%y = rescale (%x, %m, %s) {to=2, bound=1000000}",
    "const %x i8 [2,3] = fill -3 const %t u8 [256] = fill 7 %y = lookup (%x, %t)",
    "const %x u8 [1,2,4,4] = fill 3 %y = sum_pool (%x)"
    "{kernel_shape=[2,2], strides=[2,1], pads=[0,1,1,0], dilations=[1,2], ceil_mode=1}",
    "const %x f32 [2,3] = fill 1 %y = non_zero (%x)",
    "const %x f32 [4,2] = fill 1 const %k f32 [3,2] = {1, 2, 2, 1, 3, 0} %y = find (%x, %k)",
    "const %x u8 [2,3] = fill 1 const %n i32 [2,256] = fill 1 const %a bool [2] = fill 1 "
    "%y = automaton (%x, %n, %a)",
    "const %x f32 [4,2] = fill 1 const %n i32 [1,5] = {0, 0, 1, 2, 0} const %s f32 [1] = {0.5} "
    "const %r i32 [1] = {0} const %b i32 [3] = {0, 1, 2} const %t i32 [2] = fill 0 "
    "const %w f32 [2] = {1, 2} %y = tree_ensemble (%x, %n, %s, %r, %b, %t, %w) {depth=1}",
    "const %x u8 [2,5] = fill 65 %y, %n = string_split (%x) {maxsplit=2}",
    "state %s u64 [2] %y = random_uniform (%s) {shape=[2,3]}",
    "state %s u64 [2] %y = random_normal (%s) {shape=[2,3]}",
};
enum { N_NODES = sizeof nodes / sizeof *nodes };

/* ---- random changes ---- */

static uint64_t seed;

static int below(int n)
{
    return random_below(&seed, n);
}

static int64_t some_int(void)
{
    static const int64_t pool[] = {-3, -2, -1, 0,  1,   1,         2,         2,
                                   3,  4,  5,  16, 100, INT32_MAX, INT64_MIN, INT64_MAX};
    return pool[below(sizeof pool / sizeof *pool)];
}

static const char *some_string(void)
{
    static const char *const pool[] = {
        "",         "NOTSET", "VALID",    "SAME_UPPER", "SAME_LOWER", "edge",
        "reflect",  "wrap",   "constant", "forward",    "reverse",    "bidirectional",
        "sideways", "Relu",   "Tanh",     "up",         "even"};
    return pool[below(sizeof pool / sizeof *pool)];
}

/* A constant of this type and shape with small numbers, NaN and infinity among them. */
static const struct tensor *some_tensor(struct arena *a, enum dtype dtype, int rank,
                                        const int64_t *dims)
{
    struct tensor *t = tensor_new(a, dtype, rank, dims);
    int64_t n = tensor_elems(t);
    for (int64_t i = 0; i < n; i++) {
        if (dtype_is_float(dtype))
            tensor_set(t, i, below(8) ? below(21) / 4.0 - 2 : 1 / (double)(below(3) - 1));
        else
            tensor_set_int(t, i, dtype == DTYPE_BOOL ? below(2) : below(9) - 2);
    }
    return t;
}

static void change_input(struct graph *g, struct node *n)
{
    size_t i = (size_t)below((int)n->n_in);
    const struct value *old = n->in[i];
    if (!old || below(12) == 0) {
        n->in[i] = old ? NULL : n->in[0];
        return;
    }
    enum dtype dtype = old->dtype;
    int rank = old->shape.rank;
    int64_t dims[MAX_RANK];
    memcpy(dims, old->shape.dims, sizeof dims);
    int what = below(4);
    if (what == 0)
        dtype = (enum dtype)(1 + below(DTYPE_COUNT - 1));
    else if (what == 1 && rank)
        dims[below(rank)] = below(5);
    else if (what == 2 && rank)
        rank--;
    else if (what == 3 && rank < MAX_RANK)
        dims[rank++] = 1 + below(3);
    const struct tensor *t = some_tensor(g->arena, dtype, rank, dims);
    n->in[i] =
        below(6) ? graph_add_constant(g, "c", t) : graph_add_input(g, "i", dtype, rank, dims);
}

static void change_attr(struct graph *g, struct node *n)
{
    const struct op_desc *d = op_desc(n->op);
    const struct attr_desc *a = &d->attrs[below((int)d->n_attrs)];
    void *field = (char *)n->attrs + a->offset;
    size_t len = (size_t)below(7);
    int64_t *ints = arena_array(g->arena, len, sizeof *ints);
    float *floats = arena_array(g->arena, len, sizeof *floats);
    const char **strings = arena_array(g->arena, len, sizeof *strings);
    for (size_t i = 0; i < len; i++) {
        ints[i] = some_int();
        floats[i] = (float)below(9) / 4;
        strings[i] = some_string();
    }
    switch (a->kind) {
    case ATTR_KIND_INT:
        *(int64_t *)field = some_int();
        break;
    case ATTR_KIND_FLOAT:
        *(float *)field = (float)(below(9) - 3) / 2;
        break;
    case ATTR_KIND_STRING:
        *(const char **)field = some_string();
        break;
    case ATTR_KIND_INTS: {
        struct attr_ints *list = field;
        if (list->n && below(2)) {
            int64_t *copy = arena_copy(g->arena, list->v, list->n * sizeof *copy);
            copy[below((int)list->n)] = some_int();
            list->v = copy;
        } else {
            *list = (struct attr_ints){ints, len};
        }
        break;
    }
    case ATTR_KIND_FLOATS:
        *(struct attr_floats *)field = (struct attr_floats){floats, len};
        break;
    case ATTR_KIND_STRINGS:
        *(struct attr_strings *)field = (struct attr_strings){strings, len};
        break;
    case ATTR_KIND_TENSOR: {
        int64_t dims[1] = {below(3)};
        enum dtype dtype = (enum dtype)(1 + below(DTYPE_COUNT - 1));
        *(const struct tensor **)field = some_tensor(g->arena, dtype, 1, dims);
        break;
    }
    }
}

/* ---- running ---- */

/* The work of one run stays small. */
static bool is_small(const struct graph *g)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (shape_elems(&g->values[i]->shape) > 1 << 12)
            return false;
    return true;
}

static void run(struct graph *g)
{
    struct error err;
    error_init(&err);
    if (!graph_validate(g, &err))
        fail_msg("%s", err.text);
    struct program *p = program_build(g->arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    if (!program_validate(p, &err))
        fail_msg("%s", err.text);
    uint8_t *area[AREA_COUNT];
    for (int i = 0; i < AREA_COUNT; i++)
        area[i] = arena_alloc(g->arena, (size_t)p->area_bytes[i]);
    if (p->area_bytes[AREA_CONSTANT])
        memcpy(area[AREA_CONSTANT], program_pack_constants(p, g->arena),
               (size_t)p->area_bytes[AREA_CONSTANT]);
    const struct eval_options opt = {.blas = false};
    eval_program(p, area[AREA_CONSTANT], area[AREA_MUTABLE], area[AREA_ACTIVATION], &opt);
}

/* Loops whose length no tensor shows: the window of LRN. */
static bool runs_long(const struct node *n)
{
    return n->op == OP_lrn && ((const struct lrn_attrs *)n->attrs)->size > 100;
}

/* Returns whether inference accepted the node. */
static bool try_node(const char *text, int n_changes)
{
    struct arena arena;
    struct error err;
    arena_init(&arena);
    error_init(&err);
    struct graph *g =
        graph_parse(&arena, arena_printf(&arena, "graph \"t\" { %s return }", text), &err);
    if (!g)
        fail_msg("%s in: %s", err.text, text);
    struct node *n = g->body.nodes[0];
    for (int i = 0; i < n_changes; i++) {
        if (op_desc(n->op)->n_attrs && below(2))
            change_attr(g, n);
        else if (!(op_desc(n->op)->flags & OP_STATE))
            change_input(g, n);
    }
    bool accepted = graph_infer(g, &err);
    if (!accepted) {
        assert_true(*err.text && !strchr(err.text, '\n'));
    } else if (is_small(g) && !runs_long(n)) {
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i])
                block_add_output(g, &g->body, n->out[i]);
        run(g);
    }
    arena_done(&arena);
    return accepted;
}

static void test_unchanged(void **state)
{
    (void)state;
    for (int i = 0; i < N_NODES; i++)
        if (!try_node(nodes[i], 0))
            fail_msg("refused: %s", nodes[i]);
}

static void test_changed(void **state)
{
    (void)state;
    int rounds = support_full() ? 4000 : support_quick() ? 30 : 100;
    int accepted = 0;
    for (int i = 0; i < N_NODES; i++) {
        for (int r = 0; r < rounds; r++) {
            seed = (uint64_t)i << 32 | (uint64_t)r;
            below(2);
            accepted += try_node(nodes[i], 1 + below(3));
        }
    }
    /* Enough must get through for the test to mean something. */
    assert_true(accepted > rounds * N_NODES / 5);
    assert_true(accepted < rounds * N_NODES);
}

/* No operator is left out. */
static void test_complete(void **state)
{
    (void)state;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const struct op_desc *d = op_desc((enum op)op);
        char pattern[64];
        snprintf(pattern, sizeof pattern, "= %s (", d->id);
        bool found = d->flags & OP_CONTROL;
        for (int i = 0; i < N_NODES; i++)
            found |= strstr(nodes[i], pattern) != NULL;
        if (!found)
            fail_msg("%s is not tried", d->id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
