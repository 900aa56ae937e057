// Runs one command: asks, renders, decides the exit status (0 done, 1 the answer is no, 2 no answer).
#pragma once
#include <iosfwd>

#include "rr/ctl/lib/command.hpp"

namespace helio::ctl {

int run(const Command& command, std::ostream& out, std::ostream& err);

}  // namespace helio::ctl
