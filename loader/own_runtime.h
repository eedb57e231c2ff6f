/*
 * own_runtime.h: included into the tool and into the runtime that it runs GPUs' bundles with (see
 * meson.build): calls under other names, so that a program which the tool is part of can be linked
 * with the runtime of its choice.
 */
#ifndef SHEAF_OWN_RUNTIME_H
#define SHEAF_OWN_RUNTIME_H

#define sheaf_attach          tool_attach
#define sheaf_close           tool_close
#define sheaf_gpu_activations tool_gpu_activations
#define sheaf_gpu_address     tool_gpu_address
#define sheaf_gpu_run         tool_gpu_run
#define sheaf_gpu_wait        tool_gpu_wait
#define sheaf_info            tool_info
#define sheaf_open            tool_open
#define sheaf_open_linked     tool_open_linked
#define sheaf_open_memory     tool_open_memory
#define sheaf_reset_state     tool_reset_state
#define sheaf_run             tool_run_bundle
#define sheaf_set_extent      tool_set_extent
#define sheaf_tensor          tool_tensor
#define sheaf_tensor_at       tool_tensor_at
#define sheaf_tensor_count    tool_tensor_count

#define rt_allocate     tool_rt_allocate
#define rt_check_linked tool_rt_check_linked
#define rt_clear        tool_rt_clear
#define rt_device       tool_rt_device
#define rt_fail         tool_rt_fail
#define rt_fail_memory  tool_rt_fail_memory
#define rt_find_tensor  tool_rt_find_tensor
#define rt_map_file     tool_rt_map_file
#define rt_symbol_count tool_rt_symbol_count
#define rt_take_memory  tool_rt_take_memory

#endif
