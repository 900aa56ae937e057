#include "rr/ctl/lib/table.hpp"

#include <algorithm>

namespace helio::ctl {
namespace {

// Characters, not octets: what is on the screen is UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string Table::text(bool with_titles) const {
  std::vector<Row> lines;
  if (with_titles) {
    Row titles{{}, title_note_};
    for (const Column& column : columns_) titles.cells.push_back(column.title);
    lines.push_back(std::move(titles));
  }
  lines.insert(lines.end(), rows_.begin(), rows_.end());

  std::vector<std::size_t> widths(columns_.size());
  for (const Row& line : lines)
    for (std::size_t i = 0; i < std::min(line.cells.size(), widths.size()); ++i)
      widths[i] = std::max(widths[i], width(line.cells[i]));

  std::string out;
  for (const Row& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      static const std::string kEmpty;
      const std::string& cell = i < line.cells.size() ? line.cells[i] : kEmpty;
      std::string padding(widths[i] - width(cell), ' ');
      if (i) text += "  ";
      text += columns_[i].align == Align::right ? padding + cell : cell + padding;
    }
    if (!line.note.empty()) text += "  " + line.note;
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
  return out;
}

}  // namespace helio::ctl
