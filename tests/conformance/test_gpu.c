/* Real networks on a GPU, which is simulated: networks.h. */
#include "tests/conformance/networks.h"

int main(void)
{
    return networks_run("-gpu");
}
