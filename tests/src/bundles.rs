//! Files of several pages, made of single images.

use std::fmt::Write;

use image::GrayImage;

/// A PDF whose pages are these grey JPEGs of 300 dpi, each with its size in pixels.
pub fn pdf(pages: &[(Vec<u8>, u32, u32)]) -> Vec<u8> {
    let (mut file, mut places) = (b"%PDF-1.7\n".to_vec(), Vec::new());
    let mut add = |object: &[&[u8]]| {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", places.len()).into_bytes());
        file.extend(object.concat());
        file.extend(b"\nendobj\n");
    };
    let kids = (0..pages.len()).fold(String::new(), |mut kids, page| {
        let _ = write!(kids, "{} 0 R ", 3 + 3 * page);
        kids
    });
    add(&[b"<< /Type /Catalog /Pages 2 0 R >>"]);
    add(&[format!("<< /Type /Pages /Count {} /Kids [ {kids}] >>", pages.len()).as_bytes()]);
    for (page, (jpeg, width, height)) in pages.iter().enumerate() {
        let points = |pixels: &u32| f64::from(*pixels) * 72.0 / 300.0;
        let (across, down, content, picture) = (points(width), points(height), 4 + 3 * page, 5 + 3 * page);
        let paint = format!("q {across} 0 0 {down} 0 0 cm /I Do Q");
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {across} {down}] /Contents {content} 0 R \
             /Resources << /XObject << /I {picture} 0 R >> >> >>"
        );
        add(&[page.as_bytes()]);
        add(&[format!("<< /Length {} >>\nstream\n{paint}\nendstream", paint.len()).as_bytes()]);
        let dict = format!(
            "<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray \
             /BitsPerComponent 8 /Filter /DCTDecode /Length {} >>\nstream\n",
            jpeg.len()
        );
        add(&[dict.as_bytes(), jpeg, b"\nendstream"]);
    }
    let start = file.len();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1);
    for place in &places {
        let _ = writeln!(table, "{place:010} 00000 n ");
    }
    let size = places.len() + 1;
    let _ = write!(table, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    [file, table.into_bytes()].concat()
}

/// A TIFF whose pages are these images, stored as they are, of 300 dpi.
pub fn tiff(pages: &[GrayImage]) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for page in pages {
        let strip = file.len() as u32;
        file.extend(page.as_raw());
        let dpi = file.len() as u32;
        file.extend([300_u32, 1].into_iter().flat_map(u32::to_le_bytes));
        let directory = file.len() as u32;
        file[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        let (long, rational) = (4_u16, 5_u16);
        let entries = [
            (256_u16, long, page.width()),
            (257, long, page.height()),
            (258, long, 8),
            (259, long, 1),
            (262, long, 1),
            (273, long, strip),
            (278, long, page.height()),
            (279, long, page.as_raw().len() as u32),
            (282, rational, dpi),
            (283, rational, dpi),
        ];
        file.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(1_u32.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        link = file.len();
        file.extend([0; 4]);
    }
    file
}
