// A key or token: text that is overwritten when it is not needed any more and that cannot be printed by accident (there is no
// operator<< and no conversion to a string).
#pragma once
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace helio {

class Secret {
 public:
  Secret() = default;
  Secret(std::string_view text) : size_(text.size()) {
    if (size_ == 0) return;
    octets_ = std::make_unique<char[]>(size_);
    std::memcpy(octets_.get(), text.data(), size_);
  }
  Secret(const char* text) : Secret(std::string_view(text)) {}
  Secret(const Secret& other) : Secret(other.view()) {}
  Secret(Secret&& other) noexcept : octets_(std::move(other.octets_)), size_(std::exchange(other.size_, 0)) {}
  Secret& operator=(Secret other) noexcept {
    std::swap(octets_, other.octets_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Secret() {
    if (octets_) explicit_bzero(octets_.get(), size_);
  }
  // Takes the text over and overwrites where it was.
  static Secret take(std::string& text) {
    Secret out(text);
    explicit_bzero(text.data(), text.size());
    text.clear();
    return out;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  const char* data() const { return octets_.get(); }
  // Takes as long whatever the first difference is; the length is no secret.
  bool operator==(const Secret& other) const {
    if (size_ != other.size_) return false;
    unsigned char differs = 0;
    for (std::size_t i = 0; i < size_; ++i) differs |= static_cast<unsigned char>(octets_[i] ^ other.octets_[i]);
    return differs == 0;
  }

 private:
  std::string_view view() const { return {octets_.get(), size_}; }

  std::unique_ptr<char[]> octets_;
  std::size_t size_ = 0;
};

// The first line of a file, without its end; none when the file cannot be read or is empty. At most 4096 octets.
std::optional<Secret> read_secret(const std::string& path);

}  // namespace helio
