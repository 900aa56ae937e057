// JSON values as text. Boost.JSON 1.81 writes 0.4 as 4E-1, which is right and unreadable; this writes 0.4. And it
// passes strings on as they are; this makes them UTF-8 first, whatever a peer called itself.
#pragma once
#include <boost/json/value.hpp>
#include <string>

namespace helio::control {

std::string to_text(const boost::json::value& value);

// Text that is absent is null, so that scripts need not know our empty string.
inline boost::json::value text_or_null(const std::string& text) { return text.empty() ? boost::json::value(nullptr) : boost::json::value(text); }

}  // namespace helio::control
