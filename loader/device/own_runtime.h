/*
 * own_runtime.h: included into each runtime that is part of the tool (see meson.build), with
 * OWN_RUNTIME, a prefix: what the runtimes name alike gets another name in each.  So the tool has
 * them all, and a program that the tool is part of can be linked with the runtime of its choice.
 */
#ifndef SHEAF_OWN_RUNTIME_H
#define SHEAF_OWN_RUNTIME_H

#define OWN_PASTE(prefix, name)  prefix##name
#define OWN_EXPAND(prefix, name) OWN_PASTE(prefix, name)
#define OWN(name)                OWN_EXPAND(OWN_RUNTIME, name)

#define sheaf_attach          OWN(sheaf_attach)
#define sheaf_close           OWN(sheaf_close)
#define sheaf_gpu_activations OWN(sheaf_gpu_activations)
#define sheaf_gpu_address     OWN(sheaf_gpu_address)
#define sheaf_gpu_run         OWN(sheaf_gpu_run)
#define sheaf_gpu_wait        OWN(sheaf_gpu_wait)
#define sheaf_info            OWN(sheaf_info)
#define sheaf_open            OWN(sheaf_open)
#define sheaf_open_linked     OWN(sheaf_open_linked)
#define sheaf_open_memory     OWN(sheaf_open_memory)
#define sheaf_reset_state     OWN(sheaf_reset_state)
#define sheaf_run             OWN(sheaf_run)
#define sheaf_set_extent      OWN(sheaf_set_extent)
#define sheaf_tensor          OWN(sheaf_tensor)
#define sheaf_tensor_at       OWN(sheaf_tensor_at)
#define sheaf_tensor_count    OWN(sheaf_tensor_count)
#define sheaf_ve_activations  OWN(sheaf_ve_activations)
#define sheaf_ve_set_cores    OWN(sheaf_ve_set_cores)

#define driver_allocate OWN(driver_allocate)
#define driver_check    OWN(driver_check)
#define driver_close    OWN(driver_close)
#define driver_enter    OWN(driver_enter)
#define driver_fail     OWN(driver_fail)
#define driver_free     OWN(driver_free)
#define driver_leave    OWN(driver_leave)
#define driver_load     OWN(driver_load)
#define driver_lose     OWN(driver_lose)
#define driver_open     OWN(driver_open)
#define plan_check      OWN(plan_check)

#define rt_allocate     OWN(rt_allocate)
#define rt_check_linked OWN(rt_check_linked)
#define rt_clear        OWN(rt_clear)
#define rt_device       OWN(rt_device)
#define rt_dtype_bits   OWN(rt_dtype_bits)
#define rt_fail         OWN(rt_fail)
#define rt_fail_memory  OWN(rt_fail_memory)
#define rt_fail_run     OWN(rt_fail_run)
#define rt_find_tensor  OWN(rt_find_tensor)
#define rt_list_copies  OWN(rt_list_copies)
#define rt_map_file     OWN(rt_map_file)
#define rt_open_vendor  OWN(rt_open_vendor)
#define rt_place        OWN(rt_place)

#define rt_plan_check_steps    OWN(rt_plan_check_steps)
#define rt_plan_has_host_steps OWN(rt_plan_has_host_steps)
#define rt_plan_malformed      OWN(rt_plan_malformed)
#define rt_plan_walk           OWN(rt_plan_walk)

#define rt_symbol_count OWN(rt_symbol_count)
#define rt_take_memory  OWN(rt_take_memory)

#endif
