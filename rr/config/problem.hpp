// What is wrong with a configuration: collected, never thrown, all reported at once.
#pragma once
#include <string>
#include <vector>

#include "rr/config/node.hpp"

namespace helio::config {

enum class Severity : std::uint8_t { error, warning };

struct ConfigProblem {
  Severity severity = Severity::error;
  std::string file;
  SourcePosition position;
  std::string key;      // "peer-groups[0].role"; empty: the file as a whole
  std::string message;
  std::string hint;     // what to do about it; may be empty
};

// "file:line:column: key: message (hint)"; warnings say "warning: " before the key.
std::string format_problem(const ConfigProblem& problem);

// Collects the problems of one file.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void error(SourcePosition at, std::string key, std::string message, std::string hint = {}) {
    list_.push_back({Severity::error, file_, at, std::move(key), std::move(message), std::move(hint)});
    ++errors_;
  }
  void warning(SourcePosition at, std::string key, std::string message, std::string hint = {}) {
    list_.push_back({Severity::warning, file_, at, std::move(key), std::move(message), std::move(hint)});
  }
  std::size_t errors() const { return errors_; }
  // In the order of the file.
  std::vector<ConfigProblem> take();

 private:
  std::string file_;
  std::vector<ConfigProblem> list_;
  std::size_t errors_ = 0;
};

}  // namespace helio::config
