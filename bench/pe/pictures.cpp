#include "bench/pe/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace helio::pe {
namespace {

constexpr double kWidth = 760, kHeight = 380, kLeft = 70, kRight = 40, kTop = 56, kBottom = 54;
constexpr const char* kInk = "#22313f";
constexpr const char* kLine = "#c8502d";

// Ticks at 1, 2 or 5 times a power of ten, about five of them; the axis ends at the last one.
struct Axis {
  explicit Axis(double largest) {
    double raw = (largest > 0 ? largest : 1) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    for (double factor : {1.0, 2.0, 5.0, 10.0}) {
      step = factor * power;
      if (step >= raw * 0.999) break;
    }
    ticks = static_cast<int>(std::ceil(largest / step - 1e-9));
    ticks = std::max(ticks, 1);
  }
  double end() const { return step * ticks; }
  double step = 1;
  int ticks = 1;
};

// Seconds in the unit in which they read well.
struct TimeUnit {
  explicit TimeUnit(double largest_seconds)
      : factor(largest_seconds < 0.002 ? 1e6
               : largest_seconds < 2   ? 1e3
                                       : 1),
        name(largest_seconds < 0.002 ? "microseconds"
             : largest_seconds < 2   ? "milliseconds"
                                     : "seconds") {}
  double factor;
  const char* name;
};

// A chart in data coordinates: axes, and what is drawn into them. White ground, so that it can be read on any
// page.
class Chart {
 public:
  Chart(const std::string& title, const std::string& x_name, const std::string& y_name, double x_max,
        double y_max)
      : x_axis_(x_max), y_axis_(y_max) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "font-family=\"sans-serif\" font-size=\"12\" fill=\"{2}\">\n"
        "<rect width=\"{0}\" height=\"{1}\" rx=\"6\" fill=\"#ffffff\"/>\n<text x=\"{3}\" y=\"24\" "
        "font-size=\"16\">{4}</text>\n",
        kWidth, kHeight, kInk, kLeft, title);
    for (int i = 0; i <= x_axis_.ticks; ++i) {
      double v = x_axis_.step * i;
      out_ += fmt::format(
          "<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e1e5e8\"/>\n"
          "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4:.4g}</text>\n",
          x(v), kTop, kHeight - kBottom, kHeight - kBottom + 18, v);
    }
    for (int i = 0; i <= y_axis_.ticks; ++i) {
      double v = y_axis_.step * i;
      out_ += fmt::format(
          "<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#e1e5e8\"/>\n"
          "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.4g}</text>\n",
          kLeft, y(v), kWidth - kRight, kLeft - 8, y(v) + 4, v);
    }
    out_ += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                        (kLeft + kWidth - kRight) / 2, kHeight - 14, x_name);
    out_ += fmt::format(
        "<text x=\"18\" y=\"{0}\" transform=\"rotate(-90 18 {0})\" text-anchor=\"middle\">{1}</text>\n",
        (kTop + kHeight - kBottom) / 2, y_name);
  }
  // With a name it gets an entry in the legend.
  void line(const std::vector<std::pair<double, double>>& points, const char* colour = kLine,
            const std::string& name = "") {
    out_ += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"", colour);
    for (auto [px, py] : points) out_ += fmt::format("{:.1f},{:.1f} ", x(px), y(py));
    out_ += "\"/>\n";
    if (name.empty()) return;
    out_ += fmt::format(
        "<rect x=\"{0:.0f}\" y=\"36\" width=\"14\" height=\"4\" fill=\"{1}\"/>\n<text x=\"{2:.0f}\" "
        "y=\"42\">{3}</text>\n",
        legend_x_, colour, legend_x_ + 20, name);
    legend_x_ += 44 + 6.6 * static_cast<double>(name.size());
  }
  void bar(double from, double to, double height) {
    out_ +=
        fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                    x(from) + 0.5, y(height), std::max(0.5, x(to) - x(from) - 1), y(0) - y(height), kLine);
  }
  void write(const std::filesystem::path& file) {
    std::ofstream out(file);
    out << out_ << "</svg>\n";
    if (!out.good()) throw std::runtime_error("cannot write " + file.string());
  }

 private:
  double x(double v) const { return kLeft + v / x_axis_.end() * (kWidth - kLeft - kRight); }
  double y(double v) const { return kHeight - kBottom - v / y_axis_.end() * (kHeight - kTop - kBottom); }
  Axis x_axis_, y_axis_;
  double legend_x_ = kLeft;
  std::string out_;
};

void draw_convergence(const Report& report, const std::filesystem::path& folder) {
  std::vector<double> times = report.convergence_seconds;
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  TimeUnit unit(times.back());
  Chart chart("Convergence", fmt::format("{} after all sessions were Established", unit.name), "% of the routes, of the PEs",
              times.back() * unit.factor, 100);
  std::vector<std::pair<double, double>> fast, median, slow, exact{{0, 0}};
  for (const Report::Held& held : report.held) {
    if (held.seconds > times.back()) break;
    fast.emplace_back(held.seconds * unit.factor, 100 * held.p90);
    median.emplace_back(held.seconds * unit.factor, 100 * held.p50);
    slow.emplace_back(held.seconds * unit.factor, 100 * held.p10);
  }
  if (!fast.empty()) {
    for (auto* line : {&fast, &median, &slow}) line->emplace_back(times.back() * unit.factor, 100);
    chart.line(fast, "#9dc3e6", "routes held: fastest tenth");
    chart.line(median, "#4878a8", "median PE");
    chart.line(slow, "#1f3a5f", "slowest tenth");
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    double at = times[i] * unit.factor, step = 100.0 / static_cast<double>(times.size());
    exact.emplace_back(at, step * static_cast<double>(i));
    exact.emplace_back(at, step * static_cast<double>(i + 1));
  }
  chart.line(exact, kLine, "PEs exact");
  chart.write(folder / "convergence.svg");
}

void draw_latency(const Report& report, const std::filesystem::path& folder) {
  if (report.latency_ns.empty()) return;
  std::vector<std::int64_t> sorted = report.latency_ns;
  std::sort(sorted.begin(), sorted.end());
  // Up to the 99.9th percentile: the worst few would squeeze everything else.
  double limit = static_cast<double>(sorted[sorted.size() * 999 / 1000]) / 1e6 * 1.05;
  constexpr int kBins = 60;
  std::vector<double> bins(kBins);
  for (std::int64_t ns : sorted) {
    int bin = static_cast<int>(static_cast<double>(ns) / 1e6 / limit * kBins);
    if (bin < kBins) bins[static_cast<std::size_t>(bin)] += 100.0 / static_cast<double>(sorted.size());
  }
  Chart chart("Latency of changes", "milliseconds", "% of changes", limit,
              *std::max_element(bins.begin(), bins.end()));
  for (int i = 0; i < kBins; ++i)
    chart.bar(limit * i / kBins, limit * (i + 1) / kBins, bins[static_cast<std::size_t>(i)]);
  chart.write(folder / "latency.svg");
}

void draw_memory(const Report& report, const std::filesystem::path& folder) {
  if (report.memory.size() < 2) return;
  TimeUnit unit(std::max_element(report.memory.begin(), report.memory.end())->first);
  double top = 0;
  std::vector<std::pair<double, double>> points;
  for (auto [t, bytes] : report.memory) {
    points.emplace_back(t * unit.factor, bytes / (1 << 20));
    top = std::max(top, points.back().second);
  }
  std::sort(points.begin(), points.end());
  Chart chart("Resident memory of the reflector", fmt::format("{} after the first connect", unit.name), "MiB",
              points.back().first, top * 1.05);
  chart.line(points);
  chart.write(folder / "memory.svg");
}

}  // namespace

void write_pictures(const Report& report, const std::string& folder) {
  std::filesystem::path path(folder);
  std::filesystem::create_directories(path);
  write_json(report, (path / "results.json").string());
  draw_convergence(report, path);
  draw_latency(report, path);
  draw_memory(report, path);
}

}  // namespace helio::pe
