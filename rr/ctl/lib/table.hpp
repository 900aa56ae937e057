// Columns of text: as wide as their widest cell, two spaces apart, nothing behind the last one.
#pragma once
#include <string>
#include <vector>

namespace helio::ctl {

class Table {
 public:
  enum class Align : bool { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Fewer cells than columns: the rest is empty. `note` is written after the last cell.
  void add(std::vector<std::string> cells, std::string note = {}) { rows_.push_back({std::move(cells), std::move(note)}); }
  // Written behind the titles.
  void set_title_note(std::string note) { title_note_ = std::move(note); }

  std::string text(bool with_titles) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string note;
  };
  std::vector<Column> columns_;
  std::vector<Row> rows_;
  std::string title_note_;
};

}  // namespace helio::ctl
