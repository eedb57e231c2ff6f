/* Real networks on a Vector Engine, which is simulated: networks.h. */
#include "tests/conformance/networks.h"

int main(void)
{
    return networks_run("-ve");
}
