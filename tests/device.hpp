// The device under test and its memory.
#pragma once

#include <xconv/xconv.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace support {

/// XCONV_TEST_DEVICE: the CPU unless it says "cuda".
xconv_device test_device();
/// A stream of that device; null on the CPU.
void *test_stream();

/// Bytes on the device under test.
class DeviceMemory {
  public:
    explicit DeviceMemory(size_t bytes);
    ~DeviceMemory(); // NOLINT: with CUDA there is something to free
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;
    void *data() const { return data_; }
    void write(const void *from);
    /// Waits for the device's work first. Ends the program where that failed: the
    /// device is lost then, and destructors, which read results back, cannot throw.
    void read(void *to) const noexcept;

    /// False where the device works on the host's memory as it is.
    static bool is_apart();

  private:
    size_t bytes_;
    void *data_ = nullptr;
};

/// An array as the device under test can read it: on the CPU the array itself, so
/// that sanitizers see its bounds.
template <class T> class OnDevice {
  public:
    explicit OnDevice(const std::vector<T> &values) : OnDevice(&values) {}
    /// Null where `values` is.
    explicit OnDevice(const std::vector<T> *values)
        : host_(values == nullptr ? nullptr : values->data())
    {
        if (values != nullptr && DeviceMemory::is_apart()) {
            copy_ = std::make_unique<DeviceMemory>(values->size() * sizeof(T));
            copy_->write(host_);
        }
    }
    const T *data() const { return copy_ ? static_cast<const T *>(copy_->data()) : host_; }

  private:
    const T *host_;
    std::unique_ptr<DeviceMemory> copy_;
};

/// The same for an array that a call changes; the end of its life writes it back.
template <class T> class InPlace {
  public:
    explicit InPlace(std::vector<T> &values) : host_(values.data())
    {
        if (DeviceMemory::is_apart()) {
            copy_ = std::make_unique<DeviceMemory>(values.size() * sizeof(T));
            copy_->write(values.data());
        }
    }
    ~InPlace()
    {
        if (copy_) {
            copy_->read(host_);
        }
    }
    InPlace(const InPlace &) = delete;
    InPlace &operator=(const InPlace &) = delete;
    T *data() const { return copy_ ? static_cast<T *>(copy_->data()) : host_; }

  private:
    T *host_;
    std::unique_ptr<DeviceMemory> copy_;
};

} // namespace support
