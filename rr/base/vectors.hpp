// What vectors are asked for again and again here.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace helio {

template <class T>
void sort_unique(std::vector<T>& v) {
  std::sort(v.begin(), v.end());
  v.erase(std::unique(v.begin(), v.end()), v.end());
}

// Removes one element that equals `value`, if there is one; the last takes its place.
template <class T>
void erase_value(std::vector<T>& v, const T& value) {
  auto at = std::find(v.begin(), v.end(), value);
  if (at == v.end()) return;
  *at = v.back();
  v.pop_back();
}

// The element of an index that may be beyond the end: the vector grows to it.
template <class T>
T& grown(std::vector<T>& v, std::size_t i) {
  if (v.size() <= i) v.resize(i + 1);
  return v[i];
}

}  // namespace helio
