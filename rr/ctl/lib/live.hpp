// What helioctl shows while it happens, line by line: events, figures, all routes of a large table in constant memory.
#pragma once
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "rr/ctl/lib/client.hpp"
#include "rr/ctl/lib/command.hpp"

namespace helio::ctl {

inline constexpr int kDone = 0, kNo = 1, kNoAnswer = 2;  // exit statuses

int monitor(const Command& command, Client& client, std::ostream& out, std::ostream& err);
// Everything that helps somebody else to see what is the matter, as lines of JSON.
int support(Client& client, std::ostream& to, std::ostream& err);
int log_tail(const Command& command, Client& client, std::ostream& out, std::ostream& err);
int all_routes(const Command& command, Client& client, std::ostream& out, std::ostream& err);

// "path?name=value&…" of the parameters that are set.
std::string target_of(std::string path, std::initializer_list<std::pair<std::string_view, std::string>> parameters);
// A problem object of the API, or whatever came instead. Returns the exit status.
int report_problem(const Answer& answer, std::ostream& err);

}  // namespace helio::ctl
