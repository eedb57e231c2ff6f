/* Sizes of elements. */
#include "bundle/run/run.h"

size_t rt_dtype_bits(enum sheaf_dtype t)
{
    switch (t) {
    case SHEAF_UINT2:
    case SHEAF_INT2:
        return 2;
    case SHEAF_UINT4:
    case SHEAF_INT4:
    case SHEAF_FLOAT4E2M1:
        return 4;
    case SHEAF_UINT8:
    case SHEAF_INT8:
    case SHEAF_BOOL:
    case SHEAF_FLOAT8E4M3FN:
    case SHEAF_FLOAT8E4M3FNUZ:
    case SHEAF_FLOAT8E5M2:
    case SHEAF_FLOAT8E5M2FNUZ:
    case SHEAF_FLOAT8E8M0:
        return 8;
    case SHEAF_UINT16:
    case SHEAF_INT16:
    case SHEAF_FLOAT16:
    case SHEAF_BFLOAT16:
        return 16;
    case SHEAF_FLOAT32:
    case SHEAF_INT32:
    case SHEAF_UINT32:
        return 32;
    case SHEAF_FLOAT64:
    case SHEAF_INT64:
    case SHEAF_UINT64:
        return 64;
    }
    return 0;
}
