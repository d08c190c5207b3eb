// Values that calls read without a lock and somebody changes now and then.
//
// get() refers to the values as they are at that moment, and they stay so: a call goes on under the rules
// that it began with. So each set of values that there ever was is kept, once, as long as this lives.
#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <utility>

namespace dspu::aio::detail {

template <class T>
class live {
 public:
  explicit live(T values) { set(std::move(values)); }
  live(const live&) = delete;
  live& operator=(const live&) = delete;

  const T& get() const { return *current_.load(std::memory_order_acquire); }

  void set(T values) {
    const std::lock_guard lock(mutex_);
    current_.store(&kept(std::move(values)), std::memory_order_release);
  }

 private:
  const T& kept(T values) {
    for (const T& known : all_) {
      if (known == values) return known;
    }
    return all_.emplace_front(std::move(values));
  }

  std::mutex mutex_;
  std::list<T> all_;
  std::atomic<const T*> current_{nullptr};
};

}  // namespace dspu::aio::detail
