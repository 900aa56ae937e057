// Answers held against the OpenAPI document.
#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "rr/control/api.hpp"

namespace helio::control {

inline std::string_view text(const boost::json::value& value) { return {value.as_string().data(), value.as_string().size()}; }

// The document that the API hands out, read once.
const boost::json::value& openapi();

// Where `value` is not what `schema` says, or empty. Knows the keywords that the document uses; another one is a mismatch.
std::string mismatch(const boost::json::value& schema, const boost::json::value& value, const std::string& at = "$");

// What of the request or its answer the document does not have: the path, the status, a field, or empty. Of problems that no
// path is to blame for (400, 404, 405, 501) the schema is held to.
std::string undocumented(const ApiRequest& request, const ApiResponse& response);

}  // namespace helio::control
