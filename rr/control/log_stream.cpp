#include "rr/control/log_stream.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "rr/control/json_text.hpp"
#include "rr/control/moment.hpp"
#include "rr/control/parameters.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;

Result<std::size_t, ApiProblem> parse_lines(const Target& target) {
  std::size_t lines = 100;
  auto parse = [](std::string_view text) -> std::optional<std::size_t> {
    std::size_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > log::LogTail::kMostLines) return std::nullopt;
    return value;
  };
  if (auto bad = read(target, "lines", lines, parse, fmt::format("a number up to {}", log::LogTail::kMostLines))) return Unexpected(*bad);
  return lines;
}

json::value line_json(const log::Line& line) {
  return {{"number", line.number}, {"time", format_moment(line.time)}, {"level", line.level}, {"message", line.message}};
}

class LogStream final : public ApiStream {
 public:
  explicit LogStream(std::vector<log::Line> first) : first_(std::move(first)) {}
  State next(std::string& out) override {
    constexpr std::size_t kTogether = 200;
    if (!std::exchange(began_, true)) {
      out += "{\"kind\":\"listening\"}\n";
      for (const log::Line& line : first_) add(line, out);
      if (first_.empty()) {  // from here on
        auto last = log::tail().last(1);
        if (!last.empty()) after_ = last.back().number;
      }
      return State::wait;
    }
    log::LogTail::Part part = log::tail().since(after_, kTogether);
    if (part.lost != 0) out += to_text(json::object{{"kind", "lost"}, {"count", part.lost}}) + "\n";
    for (const log::Line& line : part.lines) add(line, out);
    return part.lines.size() == kTogether ? State::more : State::wait;
  }

 private:
  void add(const log::Line& line, std::string& out) {
    out += to_text(line_json(line)) + "\n";
    after_ = line.number;
  }
  std::vector<log::Line> first_;
  std::uint64_t after_ = 0;
  bool began_ = false;
};

}  // namespace

Result<json::value, ApiProblem> log_lines(const Target& target) {
  auto lines = parse_lines(target);
  if (!lines) return Unexpected(lines.error());
  json::array out;
  for (const log::Line& line : log::tail().last(*lines)) out.push_back(line_json(line));
  return json::object{{"lines", std::move(out)}};
}

Result<std::unique_ptr<ApiStream>, ApiProblem> make_log_stream(const Target& target) {
  auto lines = parse_lines(target);
  if (!lines) return Unexpected(lines.error());
  return std::make_unique<LogStream>(log::tail().last(*lines));
}

}  // namespace helio::control
