#include "bench/pe/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace helio::pe {
namespace {

std::string number_text(double v) {
  if (std::floor(v) == v && std::fabs(v) < 1e15) return fmt::format("{}", static_cast<std::int64_t>(v));
  return fmt::format("{:.6g}", v);
}

std::string display(const Report::Value& v) {
  if (!v.text.empty()) return v.text;
  if (v.name.ends_with("_bytes") && v.number >= 10240) return format_bytes(v.number);
  if (v.name.ends_with("_seconds")) {
    return v.number < 0.1 ? fmt::format("{:.3f} ms", v.number * 1e3) : fmt::format("{:.3f} s", v.number);
  }
  return number_text(v.number);
}

}  // namespace

const Report::Value* Report::find(const std::string& name) const {
  for (const Value& v : values) {
    if (v.name == name) return &v;
  }
  return nullptr;
}

double percentile(std::vector<std::int64_t>& values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  auto at = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return static_cast<double>(values[std::min(values.size() - 1, at == 0 ? 0 : at - 1)]);
}

std::string format_bytes(double bytes) {
  if (bytes >= 1 << 30) return fmt::format("{:.2f} GiB", bytes / (1 << 30));
  if (bytes >= 1 << 20) return fmt::format("{:.1f} MiB", bytes / (1 << 20));
  return fmt::format("{:.0f} KiB", bytes / 1024);
}

void print_table(const Report& report) {
  std::size_t width = 0;
  for (const auto& v : report.values) width = std::max(width, v.help.size());
  for (const auto& v : report.values) fmt::print("  {:<{}}  {}\n", v.help, width, display(v));
  for (const auto& p : report.problems) fmt::print("  ! {}\n", p);
}

void write_json(const Report& report, const std::string& file) {
  boost::json::object o;
  for (const auto& v : report.values) {
    if (!v.text.empty())
      o[v.name] = v.text;
    else if (std::floor(v.number) == v.number && std::fabs(v.number) < 1e15)
      o[v.name] = static_cast<std::int64_t>(v.number);
    else
      o[v.name] = v.number;
  }
  o["verdict"] = report.verdict;
  boost::json::array problems;
  for (const auto& p : report.problems) problems.emplace_back(p);
  o["problems"] = std::move(problems);
  std::string text = boost::json::serialize(o);
  if (file == "-") {
    fmt::print("{}\n", text);
    return;
  }
  std::ofstream out(file);
  out << text << "\n";
  if (!out.good()) throw std::runtime_error("cannot write " + file);
}

void append_csv(const Report& report, const std::string& file) {
  bool is_new = !std::filesystem::exists(file);
  std::ofstream out(file, std::ios::app);
  auto line = [&](auto cell) {
    std::string text;
    for (const auto& v : report.values) text += cell(v) + ",";
    return text;
  };
  if (is_new) out << line([](const Report::Value& v) { return v.name; }) << "verdict\n";
  out << line([](const Report::Value& v) {
    return v.text.empty() ? number_text(v.number) : "\"" + v.text + "\"";
  }) << report.verdict
      << "\n";
  if (!out.good()) throw std::runtime_error("cannot write " + file);
}

}  // namespace helio::pe
