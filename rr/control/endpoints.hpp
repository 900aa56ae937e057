// Every path of the control API with its method and parameters: what is not here is refused before a handler sees it. The
// OpenAPI document (openapi.json) says the same with words and schemas; a test holds the two together.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "rr/control/problem.hpp"
#include "rr/control/query.hpp"

namespace helio::control {

struct Endpoint {
  std::string_view method;  // "GET" looks, "POST" changes
  std::string_view path;    // "/v1/peers/{address}:up": what is in braces is any text
  std::array<std::string_view, 11> parameters;  // of the query; the rest is empty
};
std::span<const Endpoint> endpoints();

// Why there is no answer: no such path, another method, a parameter that is not used there. Nothing: a handler has it.
std::optional<ApiProblem> check_request(std::string_view method, const Target& target);

// The OpenAPI document.
std::string_view openapi_document();

}  // namespace helio::control
