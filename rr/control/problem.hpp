// An answer that is not what was asked for: HTTP status and the problem object {error, message, hint}.
#pragma once
#include <string>

namespace helio::control {

struct ApiProblem {
  unsigned status = 400;
  std::string error;    // a stable word: "bad_parameter", "not_found", …
  std::string message;
  std::string hint;     // may be empty
};

}  // namespace helio::control
