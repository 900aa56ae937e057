// Results of a run: named numbers in the order in which they are printed, the verdict, and the ways out
// (table, summary line, JSON, CSV).
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace helio::pe {

struct Report {
  struct Value {
    std::string name;  // snake_case with unit, e.g. convergence_seconds
    double number = 0;
    std::string text;  // instead of the number
    std::string help;  // how the table calls it
  };
  std::vector<Value> values;
  std::string verdict = "failed";
  std::string headline;               // the scenario and its result in one line
  std::vector<std::string> problems;  // samples of what was wrong
  // Series for pictures: convergence (seconds, PEs done) per round, latencies in ns, memory (seconds, bytes).
  // How much of its set the slowest tenth, the median and the fastest tenth of the PEs held, 0..1.
  struct Held {
    double seconds = 0, p10 = 0, p50 = 0, p90 = 0;
  };
  std::vector<Held> held;
  std::vector<double> convergence_seconds;
  std::vector<std::int64_t> latency_ns;
  std::vector<std::pair<double, double>> memory;

  void add(std::string name, double number, std::string help) {
    values.push_back({std::move(name), number, "", std::move(help)});
  }
  void add(std::string name, std::string text, std::string help) {
    values.push_back({std::move(name), 0, std::move(text), std::move(help)});
  }
  const Value* find(const std::string& name) const;
};

// Percentile of unsorted values (sorts them); 0 when there are none.
double percentile(std::vector<std::int64_t>& values, double share);
std::string format_bytes(double bytes);

void print_table(const Report& report);
void write_json(const Report& report, const std::string& file);
void append_csv(const Report& report, const std::string& file);

}  // namespace helio::pe
