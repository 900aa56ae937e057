#include "bench/pe/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace helio::pe {
namespace {

constexpr double kWidth = 720, kHeight = 360, kLeft = 70, kRight = 20, kTop = 40, kBottom = 50;
constexpr const char* kInk = "#22313f";
constexpr const char* kLine = "#c8502d";

// A chart in data coordinates: the axes with five ticks each, and what is drawn into it.
class Chart {
 public:
  Chart(std::string title, std::string x_name, std::string y_name, double x_max, double y_max)
      : x_max_(x_max > 0 ? x_max : 1), y_max_(y_max > 0 ? y_max : 1) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
        "font-size=\"12\" fill=\"{2}\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n<text x=\"{3}\" y=\"24\" "
        "font-size=\"15\">{4}</text>\n",
        kWidth, kHeight, kInk, kLeft, title);
    for (int i = 0; i <= 5; ++i) {
      double fx = x_max_ * i / 5, fy = y_max_ * i / 5;
      out_ += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e4e7ea\"/>\n",
                          x(fx), kTop, kHeight - kBottom);
      out_ += fmt::format("<line x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\" stroke=\"#e4e7ea\"/>\n",
                          kLeft, y(fy), kWidth - kRight);
      out_ += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"end\">{:.4g}</text>\n", kLeft - 8,
                          y(fy) + 4, fy);
      out_ += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.3g}</text>\n", x(fx),
                          kHeight - kBottom + 18, fx);
    }
    out_ += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                        (kLeft + kWidth - kRight) / 2, kHeight - 12, x_name);
    out_ += fmt::format(
        "<text x=\"16\" y=\"{0}\" transform=\"rotate(-90 16 {0})\" text-anchor=\"middle\">{1}</text>\n",
        (kTop + kHeight - kBottom) / 2, y_name);
  }
  void line(const std::vector<std::pair<double, double>>& points) {
    out_ += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"", kLine);
    for (auto [px, py] : points) out_ += fmt::format("{:.1f},{:.1f} ", x(px), y(py));
    out_ += "\"/>\n";
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
  double x(double v) const { return kLeft + v / x_max_ * (kWidth - kLeft - kRight); }
  double y(double v) const { return kHeight - kBottom - v / y_max_ * (kHeight - kTop - kBottom); }
  double x_max_, y_max_;
  std::string out_;
};

void draw_convergence(const Report& report, const std::filesystem::path& folder) {
  std::vector<double> times = report.convergence_seconds;
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  Chart chart("Convergence: PEs that hold exactly their set", "seconds after all sessions were Established",
              "% of PEs", times.back(), 100);
  std::vector<std::pair<double, double>> points{{0, 0}};
  for (std::size_t i = 0; i < times.size(); ++i) {
    points.emplace_back(times[i], 100.0 * static_cast<double>(i) / static_cast<double>(times.size()));
    points.emplace_back(times[i], 100.0 * static_cast<double>(i + 1) / static_cast<double>(times.size()));
  }
  chart.line(points);
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
  double top = 0;
  std::vector<std::pair<double, double>> points;
  for (auto [t, bytes] : report.memory) {
    points.emplace_back(t, bytes / (1 << 20));
    top = std::max(top, points.back().second);
  }
  std::sort(points.begin(), points.end());
  Chart chart("Resident memory of the reflector", "seconds after the first connect", "MiB",
              points.back().first, top * 1.1);
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
