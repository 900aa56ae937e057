// JSON values as text. Boost.JSON 1.81 writes 0.4 as 4E-1, which is right and unreadable; this writes 0.4.
#pragma once
#include <boost/json/value.hpp>
#include <string>

namespace helio::control {

std::string to_text(const boost::json::value& value);

}  // namespace helio::control
