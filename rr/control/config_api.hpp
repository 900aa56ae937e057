// /v1/config:diff, :reload, :confirm and :rollback: parameters in, JSON out.
#pragma once
#include <boost/json/value.hpp>
#include <string_view>

#include "rr/base/result.hpp"
#include "rr/control/config_control.hpp"
#include "rr/control/problem.hpp"
#include "rr/control/query.hpp"

namespace helio::control {

// Whether the target is one of them.
bool is_config_action(const Target& target);
// Method and parameters are checked. `control` may be null: 501.
Result<boost::json::value, ApiProblem> config_action(ConfigControl* control, const Target& target, std::string_view body);

boost::json::value config_report_json(const ConfigReport& report);

}  // namespace helio::control
