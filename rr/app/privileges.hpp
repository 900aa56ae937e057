// What heliod may do in the system: as little as it needs from the first line on, nothing more than its descriptors once it
// listens.
#pragma once
#include <string>

namespace helio::app {

// Before any thread: no_new_privs, a umask of at least 027, a bounding set without what heliod never needs. It keeps what
// binding (CAP_NET_BIND_SERVICE), giving the control socket to its group (CAP_CHOWN) and reading key files take.
void begin_with_least_privileges();

// After start: every thread gives up every capability. An error is text for the operator; heliod goes on with what it has.
std::string give_up_capabilities();

}  // namespace helio::app
