// The private binding: thin, its arguments already checked by the Python side (echo_rt/engine/preprocess.py).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "preprocess.hpp"

namespace nb = nanobind;
using Image = nb::ndarray<const uint8_t, nb::numpy, nb::device::cpu>;
using Grid = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

namespace {

// Weights for one size of image, computed once; made anew when the size of the images changes.
class Preprocess {
 public:
  Preprocess(double scale, double x0, double y0, int grid_height, int grid_width, int image_height, int image_width, float mean,
             float std)
      : rows_(scale, y0, grid_height, image_height), columns_(scale, x0, grid_width, image_width),
        image_height_(image_height), image_width_(image_width), grid_height_(grid_height), grid_width_(grid_width),
        mean_(mean), std_(std) {}

  void operator()(Image image, Grid out) {
    const bool colour = image.ndim() == 3;
    const bool fits = (image.ndim() == 2 || (colour && image.shape(2) == 3 && image.stride(2) == 1)) &&
                      static_cast<int>(image.shape(0)) == image_height_ && static_cast<int>(image.shape(1)) == image_width_ &&
                      image.stride(1) == (colour ? 3 : 1) && static_cast<int>(out.shape(0)) == grid_height_ &&
                      static_cast<int>(out.shape(1)) == grid_width_;
    if (!fits) throw nb::value_error("the image or the buffer does not fit this plan, or its pixels are not contiguous in a row");
    const uint8_t* data = image.data();
    const std::ptrdiff_t row_bytes = image.stride(0);
    float* target = out.data();
    nb::gil_scoped_release release;
    std::vector<float> sum;  // of its own, so that two threads may share one plan
    echo_rt::preprocess(data, row_bytes, image_width_, colour ? 3 : 1, rows_, columns_, mean_, std_, sum, target);
  }

 private:
  echo_rt::Coverage rows_, columns_;
  int image_height_, image_width_, grid_height_, grid_width_;
  float mean_, std_;
};

}  // namespace

NB_MODULE(_native, m) {
  nb::class_<Preprocess>(m, "Preprocess")
      .def(nb::init<double, double, double, int, int, int, int, float, float>(), nb::arg("scale"), nb::arg("x0"), nb::arg("y0"),
           nb::arg("grid_height"), nb::arg("grid_width"), nb::arg("image_height"), nb::arg("image_width"), nb::arg("mean"),
           nb::arg("std"))
      .def("__call__", &Preprocess::operator(), nb::arg("image"), nb::arg("out"));
}
