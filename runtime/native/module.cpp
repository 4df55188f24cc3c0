// The private binding: thin, its arguments already checked by the Python side (echo_rt/engine/preprocess.py, echo_rt/engine/postprocess.py,
// echo_rt/segmentation.py, echo_rt/cardiac/kernels).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>

#include "geometry.hpp"
#include "picture.hpp"
#include "postprocess.hpp"
#include "preprocess.hpp"
#include "speckle.hpp"
#include "systole.hpp"

namespace nb = nanobind;
using Image = nb::ndarray<const uint8_t, nb::numpy, nb::device::cpu>;
using Mask = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Grid = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Layer = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Chain = nb::ndarray<const int32_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Points = nb::ndarray<const double, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Levels = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Pair = std::pair<double, double>;

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

// An array of NumPy's, which owns its numbers.
template <typename Number, typename... Shape>
nb::ndarray<nb::numpy, Number, nb::ndim<sizeof...(Shape)>> new_array(Shape... shape) {
  auto* data = new Number[(shape * ...)];
  return {data, {shape...}, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<Number*>(p); })};
}

using Planes = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void check_classes(const Planes& planes) {
  if (planes.shape(0) != echo_rt::kClasses || planes.size() == 0) throw nb::value_error("expected (4, h, w), h and w at least 1");
}

nb::tuple postprocess(Planes logits) {
  check_classes(logits);
  const std::size_t height = logits.shape(1), width = logits.shape(2);
  auto probability = new_array<float>(std::size_t{echo_rt::kClasses}, height, width);
  auto labels = new_array<uint8_t>(height, width);
  auto tally = new_array<double>(std::size_t{3}, std::size_t{echo_rt::kClasses});
  {
    nb::gil_scoped_release release;
    const echo_rt::Tally found =
        echo_rt::postprocess(logits.data(), static_cast<std::ptrdiff_t>(height * width), probability.data(), labels.data());
    static_assert(sizeof found == 3 * echo_rt::kClasses * sizeof(double), "copied in one piece");
    std::memcpy(tally.data(), &found, sizeof found);
  }
  return nb::make_tuple(probability, labels, tally);
}

nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>> enlarge(Planes probability, double scale, double x0, double y0, int image_height,
                                                     int image_width) {
  check_classes(probability);
  if (image_height < 1 || image_width < 1 || !(scale > 0)) throw nb::value_error("expected an image of one pixel or more, and scale > 0");
  const int height = static_cast<int>(probability.shape(1)), width = static_cast<int>(probability.shape(2));
  auto labels = new_array<uint8_t>(static_cast<std::size_t>(image_height), static_cast<std::size_t>(image_width));
  nb::gil_scoped_release release;
  const echo_rt::Steps rows(scale, y0, height, image_height), columns(scale, x0, width, image_width);
  echo_rt::enlarge(probability.data(), height, width, rows, columns, labels.data());
  return labels;
}

static_assert(sizeof(echo_rt::Point) == 2 * sizeof(double), "points are read in place");

echo_rt::Field field_of(const Layer& layer) {
  return {layer.data(), static_cast<std::ptrdiff_t>(layer.shape(0)), static_cast<std::ptrdiff_t>(layer.shape(1))};
}

const echo_rt::Point* points_of(const Points& points) { return reinterpret_cast<const echo_rt::Point*>(points.data()); }

nb::object array_of(const std::vector<echo_rt::Point>& points) {
  auto array = new_array<double>(points.size(), std::size_t{2});
  std::memcpy(array.data(), points.data(), points.size() * sizeof(echo_rt::Point));
  return nb::cast(array);
}

echo_rt::Point point_of(const Pair& pair) { return {pair.first, pair.second}; }

// All of these take some microseconds: the interpreter's lock is kept.
nb::object smoothed(Layer cavity, float level, int margin, int pad, nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu> weights) {
  if (margin < 0 || pad < 0 || weights.shape(0) % 2 == 0) throw nb::value_error("expected margins of no less than nothing, and an odd number of weights");
  const echo_rt::Part part = echo_rt::smoothed(field_of(cavity), level, margin, pad, weights.data(), static_cast<int>(weights.shape(0) / 2));
  if (part.field.empty()) return nb::none();
  auto field = new_array<float>(static_cast<std::size_t>(part.height), static_cast<std::size_t>(part.width));
  std::memcpy(field.data(), part.field.data(), part.field.size() * sizeof(float));
  return nb::make_tuple(field, nb::make_tuple(part.left, part.top));
}

nb::tuple trace(Layer field, Chain chain, double level, Layer wall, Layer atrium, Pair origin, double reach) {
  const std::size_t n = chain.shape(0);
  auto points = new_array<double>(n, std::size_t{2});
  auto beside_wall = new_array<double>(n), beside_atrium = new_array<double>(n);
  const double area = echo_rt::trace(field_of(field), chain.data(), n, level, field_of(wall), field_of(atrium), point_of(origin), reach,
                                     reinterpret_cast<echo_rt::Point*>(points.data()), beside_wall.data(), beside_atrium.data());
  return nb::make_tuple(points, beside_wall, beside_atrium, area);
}

nb::object walled(Points points, Levels wall, Levels atrium, std::size_t reach, double sharpen) {
  const std::size_t n = points.shape(0);
  if (n < 1 || wall.shape(0) != n || atrium.shape(0) != n || reach < 1) throw nb::value_error("expected N points, wall and atrium of each");
  const std::vector<echo_rt::Point> open = echo_rt::walled(points_of(points), wall.data(), atrium.data(), n, reach, sharpen);
  return open.empty() ? nb::none() : array_of(open);
}

nb::object long_axis(Points points, double shell, std::size_t disks) {
  std::vector<double> diameters(disks);
  const auto axis = echo_rt::long_axis(points_of(points), points.shape(0), shell, disks, diameters.data());
  if (!axis) return nb::none();
  nb::list listed;
  for (double diameter : diameters) listed.append(diameter);
  return nb::make_tuple(axis->length, axis->area, nb::make_tuple(axis->apex.x, axis->apex.y), nb::tuple(listed));
}

nb::tuple wall_lines(Layer cavity, Layer wall, Points points, Pair up, double length, Pair origin, Pair to_grid, Levels levels,
                     double reach, int samples) {
  const std::size_t n = points.shape(0), count = levels.shape(0) - 2;
  if (n < 3 || levels.shape(0) < 2 || samples < 2) throw nb::value_error("expected three points, two levels and two samples, or more");
  auto distances = new_array<double>(std::size_t{2}, count), thicknesses = new_array<double>(std::size_t{2}, count);
  auto starts = new_array<double>(std::size_t{2}, count, std::size_t{2}), normals = new_array<double>(std::size_t{2}, count, std::size_t{2});
  auto segment = new_array<int8_t>(n);
  echo_rt::wall_lines(field_of(cavity), field_of(wall), points_of(points), n, point_of(up), length, point_of(origin), point_of(to_grid),
                      levels.data(), count, reach, samples, distances.data(), thicknesses.data(), segment.data(),
                      reinterpret_cast<echo_rt::Point*>(starts.data()), reinterpret_cast<echo_rt::Point*>(normals.data()));
  return nb::make_tuple(distances, thicknesses, segment, starts, normals);
}

nb::ndarray<nb::numpy, double, nb::ndim<1>> depth(Points hull, Points points) {
  if (hull.shape(0) < 3) throw nb::value_error("expected a polygon of three corners or more");
  auto depths = new_array<double>(points.shape(0));
  echo_rt::depth(points_of(hull), hull.shape(0), points_of(points), points.shape(0), depths.data());
  return depths;
}

using Curves = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

nb::ndarray<nb::numpy, double, nb::ndim<2>> systole_misfits(Levels t, Curves y, Curves begins, Curves lasts) {
  const std::size_t n = t.shape(0), curves = y.shape(0), pairs = begins.shape(1);
  const bool paired = begins.shape(0) == echo_rt::kSlopes && lasts.shape(0) == echo_rt::kSlopes && lasts.shape(1) == pairs;
  if (!n || y.shape(1) != n || !paired)
    throw nb::value_error("expected N times, curves (C, N), begins and lasts (5, K)");
  auto misfits = new_array<double>(pairs, curves);
  echo_rt::systole_misfits(t.data(), n, y.data(), curves, begins.data(), lasts.data(), pairs, misfits.data());
  return misfits;
}

bool is_colour(const Image& image) {
  const bool colour = image.ndim() == 3;
  if (image.ndim() != 2 && !(colour && image.shape(2) == 3)) throw nb::value_error("expected an image (H, W) or (H, W, 3)");
  return colour;
}

nb::tuple coarse(Image image, std::pair<int, int> size, int dark, int chroma, std::array<int, 4> window) {
  const bool colour = is_colour(image);
  const int height = static_cast<int>(image.shape(0)), width = static_cast<int>(image.shape(1));
  const auto [rows, columns] = size;
  const auto [row_begin, row_end, column_begin, column_end] = window;
  if (rows < 1 || rows > height || columns < 1 || columns > width) throw nb::value_error("expected a grid no finer than the image");
  if (row_begin < 0 || row_end > rows || column_begin < 0 || column_end > columns) throw nb::value_error("expected a window in the grid");
  auto level = new_array<uint8_t>(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
  auto lit = new_array<uint8_t>(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
  const echo_rt::Pixels pixels{image.data(), image.stride(0), image.stride(1), colour ? image.stride(2) : 0, colour ? 3 : 1, height, width};
  const echo_rt::Window counted{row_begin, row_end, column_begin, column_end};
  const double share = echo_rt::coarse(pixels, rows, columns, dark, chroma, counted, level.data(), lit.data());
  return nb::make_tuple(level, lit, share);
}

nb::ndarray<nb::numpy, float, nb::ndim<2>> cells(Image image, std::pair<int, int> corner, std::pair<int, int> size, int cell, int stride) {
  const bool colour = is_colour(image);
  const auto [row, column] = corner;
  const auto [rows, columns] = size;
  const auto fit = [=](int first, int count, std::size_t pixels) {
    return first >= 0 && count >= 1 && (static_cast<int64_t>(first) + count) * cell <= static_cast<int64_t>(pixels);
  };
  // Sixteen pixels and more would not go into the sums of the rows.
  if (cell < 1 || stride < 1 || cell > 16 * stride || !fit(row, rows, image.shape(0)) || !fit(column, columns, image.shape(1)))
    throw nb::value_error("expected cells that lie in the image, and 16 picks along a side at most");
  auto means = new_array<float>(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
  const uint8_t* first = image.data() + (colour ? image.stride(2) : 0) + static_cast<std::ptrdiff_t>(row) * cell * image.stride(0) +
                         static_cast<std::ptrdiff_t>(column) * cell * image.stride(1);
  echo_rt::cells(first, image.stride(0), image.stride(1), rows, columns, cell, stride, means.data());
  return means;
}

using Lines = nb::ndarray<const double, nb::shape<2, -1, 2>, nb::c_contig, nb::device::cpu>;

nb::tuple follow(Layer before, std::pair<int, int> before_corner, Layer after, std::pair<int, int> after_corner, Lines start, Lines normal,
                 Pair origin, Pair to_cells, double unit, int samples, int rounds) {
  const std::size_t lines = start.shape(1);
  if (lines < 1 || lines % 3 || normal.shape(1) != lines || samples < 1) throw nb::value_error("expected lines in three thirds, and samples");
  const echo_rt::Patch earlier{field_of(before), {origin.first - before_corner.second, origin.second - before_corner.first}},
      later{field_of(after), {origin.first - after_corner.second, origin.second - after_corner.first}};
  auto found = new_array<double>(std::size_t{2}, std::size_t{3}, std::size_t{3});
  auto certain = new_array<double>(std::size_t{2}, std::size_t{3});
  const auto* starts = reinterpret_cast<const echo_rt::Point*>(start.data());
  const auto* normals = reinterpret_cast<const echo_rt::Point*>(normal.data());
  for (std::size_t third = 0; third < 6; ++third) {
    const std::size_t first = third * (lines / 3);
    const echo_rt::Motion one = echo_rt::follow(earlier, later, starts + first, normals + first, lines / 3, point_of(to_cells), unit, samples, rounds);
    double* at = found.data() + 3 * third;
    at[0] = one.shift, at[1] = one.strain, at[2] = one.slide, certain.data()[third] = one.certain;
  }
  return nb::make_tuple(found, certain);
}

nb::object sector(Mask lit, double speck) {
  const std::vector<echo_rt::Point> corners =
      echo_rt::sector(lit.data(), static_cast<int>(lit.shape(0)), static_cast<int>(lit.shape(1)), speck);
  return corners.size() < 3 ? nb::none() : array_of(corners);
}

}  // namespace

NB_MODULE(_native, m) {
  nb::class_<Preprocess>(m, "Preprocess")
      .def(nb::init<double, double, double, int, int, int, int, float, float>(), nb::arg("scale"), nb::arg("x0"), nb::arg("y0"),
           nb::arg("grid_height"), nb::arg("grid_width"), nb::arg("image_height"), nb::arg("image_width"), nb::arg("mean"),
           nb::arg("std"))
      .def("__call__", &Preprocess::operator(), nb::arg("image"), nb::arg("out"));
  m.def("postprocess", &postprocess, nb::arg("logits"));
  m.def("enlarge", &enlarge, nb::arg("probability"), nb::arg("scale"), nb::arg("x0"), nb::arg("y0"), nb::arg("image_height"),
        nb::arg("image_width"));
  m.def("smoothed", &smoothed, nb::arg("cavity"), nb::arg("level"), nb::arg("margin"), nb::arg("pad"), nb::arg("weights"));
  m.def("trace", &trace, nb::arg("field"), nb::arg("chain"), nb::arg("level"), nb::arg("wall"), nb::arg("atrium"), nb::arg("origin"),
        nb::arg("reach"));
  m.def("walled", &walled, nb::arg("points"), nb::arg("wall"), nb::arg("atrium"), nb::arg("reach"), nb::arg("sharpen"));
  m.def("long_axis", &long_axis, nb::arg("points"), nb::arg("shell"), nb::arg("disks"));
  m.def("wall_lines", &wall_lines, nb::arg("cavity"), nb::arg("wall"), nb::arg("points"), nb::arg("up"), nb::arg("length"),
        nb::arg("origin"), nb::arg("to_grid"), nb::arg("levels"), nb::arg("reach"), nb::arg("samples"));
  m.def("depth", &depth, nb::arg("hull"), nb::arg("points"));
  m.def("systole_misfits", &systole_misfits, nb::arg("t"), nb::arg("y"), nb::arg("begins"), nb::arg("lasts"));
  m.def("coarse", &coarse, nb::arg("image"), nb::arg("size"), nb::arg("dark"), nb::arg("chroma"), nb::arg("window"));
  m.def("cells", &cells, nb::arg("image"), nb::arg("corner"), nb::arg("size"), nb::arg("cell"), nb::arg("stride"));
  m.def("follow", &follow, nb::arg("before"), nb::arg("before_corner"), nb::arg("after"), nb::arg("after_corner"), nb::arg("start"),
        nb::arg("normal"), nb::arg("origin"), nb::arg("to_cells"), nb::arg("unit"), nb::arg("samples"), nb::arg("rounds"));
  m.def("sector", &sector, nb::arg("lit"), nb::arg("speck"));
}
