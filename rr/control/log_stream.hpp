// /v1/log: the last lines of the log, and with follow=true those that come.
#pragma once
#include <boost/json/value.hpp>
#include <memory>

#include "rr/base/log_tail.hpp"
#include "rr/control/api.hpp"
#include "rr/control/query.hpp"

namespace helio::control {

// Parameters: lines. At most LogTail::kMostLines.
Result<boost::json::value, ApiProblem> log_lines(const Target& target);
Result<std::unique_ptr<ApiStream>, ApiProblem> make_log_stream(const Target& target);

}  // namespace helio::control
